#include "plan/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "plan/desk.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr RankId r1{1};
constexpr RankId r2{2};
constexpr RankId r3{3};
constexpr OutputId out{0};

TEST(Scheduler, HandsOutTheLargestFirst) {
  Desk desk{items_of({10, 30, 20, 40})};
  EXPECT_THAT(desk.hear(RankJoined{.rank = r1}).assigned(r1), ElementsAre(3));
  EXPECT_THAT(desk.hear(RankJoined{.rank = r2}).assigned(r2), ElementsAre(1));
  EXPECT_THAT(desk.hear(ItemComputed{r2, ItemId{1}, 1}, 1).assigned(r2), ElementsAre(2));
}

TEST(Scheduler, WaitsForTheExpectedRanksButNotForEver) {
  Desk desk{items_of({10, 20}), {.expected_ranks = 2, .gather_s = 2}};
  EXPECT_THAT(desk.hear(RankJoined{.rank = r1}, 0).said, IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 1).said, IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 2.1).assigned(r1), ElementsAre(1));
  Desk both{items_of({10, 20}), {.expected_ranks = 2, .gather_s = 2}};
  both.hear(RankJoined{.rank = r1, .px_per_s = 1});
  both.hear(RankJoined{.rank = r2, .px_per_s = 5});
  EXPECT_THAT(both.assigned(r2), ElementsAre(1, 0)) << "4 s and 2 s are sooner than 20 s or 10 s on the slow rank";
}

TEST(Scheduler, OneUnitIsAheadOnceTheSpeedIsKnown) {
  Desk desk{items_of(std::vector<std::uint64_t>(10, 1'000'000))};
  EXPECT_THAT(desk.hear(RankJoined{.rank = r1}).assigned(r1), SizeIs(1));
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1).all<Assign>(), SizeIs(2)) << "one to run, one ahead";
  EXPECT_THAT(desk.hear(Tick{}, 1.5).all<Assign>(), IsEmpty());
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{1}, 1}, 2).all<Assign>(), SizeIs(1));
}

TEST(Scheduler, BatchesSmallItemsToHalfASecondAndOneUnitIsNotTheRest) {
  Desk desk{items_of(std::vector<std::uint64_t>(1000, 100))};
  EXPECT_THAT(desk.hear(RankJoined{.rank = r1}).assigned(r1), SizeIs(1)) << "nothing is known of its speed";
  desk.hear(ItemComputed{r1, ItemId{0}, 0.01}, 1);  // 10,000 px/s: half a second is 50 items
  const auto units = desk.all<Assign>();
  ASSERT_THAT(units, SizeIs(2));
  EXPECT_THAT(units[0].unit.items, SizeIs(50));
  Desk end{items_of(std::vector<std::uint64_t>(41, 100))};
  end.hear(RankJoined{.rank = r1}).hear(ItemComputed{r1, ItemId{0}, 0.01}, 1);
  ASSERT_FALSE(end.all<Assign>().empty());
  EXPECT_THAT(end.all<Assign>()[0].unit.items, SizeIs(20)) << "half of what is left";
}

TEST(Scheduler, ASlowRankDeclinesNearTheEndAndHelpsWhenTheFastOneIsLost) {
  Desk desk{items_of({100, 100, 100})};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100});
  EXPECT_THAT(desk.assigned(r1), SizeIs(2)) << "one to run and one ahead";
  desk.hear(RankJoined{.rank = r2, .px_per_s = 10});
  EXPECT_THAT(desk.said, IsEmpty()) << "3 s on the fast rank, 10 s here";
  EXPECT_EQ(desk.state(2), ItemState::waiting);
  desk.hear(RankLost{r1}, 0.5);
  EXPECT_THAT(desk.assigned(r2), SizeIs(2));
}

TEST(Scheduler, ASlowRankTakesWhatItCanDoInTime) {
  Desk desk{items_of({1000, 1000, 1000, 10}), {.expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(RankJoined{.rank = r2, .px_per_s = 5});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0, 1));
  EXPECT_THAT(desk.assigned(r2), ElementsAre(3)) << "2 s here; 1000 px would take 200 s";
}

TEST(Scheduler, GivesARankOnlyWhatItsMemoryHoldsAndQuarantinesWhatFitsNowhere) {
  Desk desk{items_of({50, 500, 5000}), {.expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .largest_px = 100}).hear(RankJoined{.rank = r2, .largest_px = 1000});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
  EXPECT_THAT(desk.assigned(r2), ElementsAre(1));
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1).all<Quarantine>(), IsEmpty());
  desk.hear(ItemComputed{r2, ItemId{1}, 1}, 1);
  ASSERT_THAT(desk.all<Quarantine>(), SizeIs(1));
  EXPECT_EQ(desk.all<Quarantine>()[0].item, ItemId{2});
  EXPECT_EQ(desk.all<Quarantine>()[0].fault, Fault::does_not_fit);
}

TEST(Scheduler, NothingIsTooLargeBeforeAllRanksHaveJoined) {
  Desk desk{items_of({5000}), {.expected_ranks = 2, .gather_s = 0}};
  EXPECT_THAT(desk.hear(RankJoined{.rank = r1, .largest_px = 100}).all<Quarantine>(), IsEmpty());
  EXPECT_THAT(desk.hear(RankJoined{.rank = r2, .largest_px = 100}).all<Quarantine>(), SizeIs(1));
}

TEST(Scheduler, BadInputIsQuarantinedAtOnceWithOneRecord) {
  Desk desk{items_of({10, 20})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemFailed{r1, ItemId{1}, Fault::truncated, "ends early"});
  ASSERT_THAT(desk.all<Quarantine>(), SizeIs(1));
  EXPECT_EQ(desk.all<Quarantine>()[0].detail, "ends early");
  EXPECT_EQ(desk.all<Quarantine>()[0].attempts, 1U);
  EXPECT_THAT(desk.all<RecordFailure>(), IsEmpty());
  EXPECT_EQ(desk.state(1), ItemState::quarantined);
}

TEST(Scheduler, AFailedItemIsTriedElsewhereAndThenGivenUp) {
  Desk desk{items_of({100}), {.retries = 2, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 1000}).hear(RankJoined{.rank = r2, .px_per_s = 1000});
  ASSERT_THAT(desk.assigned(r1), ElementsAre(0));
  desk.hear(ItemFailed{r1, ItemId{0}, Fault::model_failed, "refused"});
  ASSERT_THAT(desk.all<RecordFailure>(), SizeIs(1));
  EXPECT_EQ(desk.all<RecordFailure>()[0].attempt, 1U);
  ASSERT_THAT(desk.assigned(r2), ElementsAre(0)) << "not to the rank that failed it";
  EXPECT_EQ(desk.all<Assign>()[0].unit.items[0].attempt, 2U);
  desk.hear(ItemFailed{r2, ItemId{0}, Fault::model_failed, "refused"});
  ASSERT_THAT(desk.assigned(r1), ElementsAre(0));
  desk.hear(ItemFailed{r1, ItemId{0}, Fault::model_failed, "refused"});
  ASSERT_THAT(desk.all<Quarantine>(), SizeIs(1));
  EXPECT_EQ(desk.all<Quarantine>()[0].attempts, 3U);
}

TEST(Scheduler, AFileThatCannotBeReadIsTriedByAnotherRank) {
  Desk desk{items_of({100}), {.retries = 2, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 1000}).hear(RankJoined{.rank = r2, .px_per_s = 1000});
  desk.hear(ItemFailed{r1, ItemId{0}, Fault::unreadable, "no such file"});
  EXPECT_THAT(desk.all<Quarantine>(), IsEmpty()) << "a mount may be away on one node";
  EXPECT_THAT(desk.assigned(r2), ElementsAre(0));
}

TEST(Scheduler, AFailedItemIsAUnitOfItsOwn) {
  Desk desk{items_of(std::vector<std::uint64_t>(20, 100))};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 2000});  // half a second is ten items
  ASSERT_GT(desk.all<Assign>().at(0).unit.items.size(), 4U);
  desk.hear(ItemFailed{r1, ItemId{0}, Fault::model_failed, ""}).hear(ItemComputed{r1, ItemId{1}, 0.05});
  for (std::uint64_t item = 2; desk.all<Assign>().empty(); ++item) {
    desk.hear(ItemComputed{r1, ItemId{item}, 0.05});
  }
  ASSERT_EQ(desk.all<Assign>()[0].unit.items[0].item, ItemId{0}) << "the largest that waits, by its id";
  EXPECT_THAT(desk.all<Assign>()[0].unit.items, SizeIs(1));
}

TEST(Scheduler, TheOnlyRankRetriesItsOwnFailure) {
  Desk desk{items_of({100})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemFailed{r1, ItemId{0}, Fault::does_not_fit, ""});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
}

TEST(Scheduler, AttemptsOfEarlierEpochsCount) {
  Work work;
  const BlockRange all{out, BlockId{0}, 1};
  work.add(ItemId{0}, 100, {&all, 1}, 2);
  Desk desk{std::move(work), {.retries = 2}};
  desk.hear(RankJoined{.rank = r1});
  EXPECT_EQ(desk.all<Assign>().at(0).unit.items[0].attempt, 3U);
  EXPECT_THAT(desk.hear(ItemFailed{r1, ItemId{0}, Fault::model_failed, ""}).all<Quarantine>(), SizeIs(1));
}

TEST(Scheduler, ASecondCrashQuarantines) {
  Desk desk{items_of({100}), {.retries = 5, .max_crashes = 2}};
  desk.hear(RankJoined{.rank = r1}).hear(ItemFailed{r1, ItemId{0}, Fault::crashed, "SIGSEGV"});
  EXPECT_THAT(desk.all<Quarantine>(), IsEmpty());
  EXPECT_THAT(desk.hear(ItemFailed{r1, ItemId{0}, Fault::crashed, "SIGSEGV"}).all<Quarantine>(), SizeIs(1));
}

TEST(Scheduler, AnItemAtWorkInFiveLossesIsQuarantinedAndOthersAreNot) {
  Desk desk{items_of({100, 90}), {.max_losses = 5}};
  desk.hear(RankJoined{.rank = r2, .largest_px = 95});
  for (int loss = 1; loss <= 5; ++loss) {
    desk.hear(RankJoined{.rank = r1}).hear(RankLost{r1});
    EXPECT_THAT(desk.all<Quarantine>(), SizeIs(loss == 5 ? 1 : 0)) << "loss " << loss;
  }
  EXPECT_EQ(desk.state(0), ItemState::quarantined);
  EXPECT_EQ(desk.state(1), ItemState::running);
}

TEST(Scheduler, RowsPromisedOrCommittedElsewhereAreNotWanted) {
  Desk desk{items_of({10, 20, 30})};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  desk.hear(SealAsked{r1, ShardId{1}, {row(0), row(1)}});
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(true, true));
  desk.hear(SealAsked{r2, ShardId{1}, {row(1), row(2), row(7), row(0, 9)}});
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(false, true, false, false));
  desk.hear(SealReady{r1, ShardId{1}});
  EXPECT_THAT(desk.all<CommitShard>(), SizeIs(1));
  desk.hear(SealCommitted{r1, ShardId{1}});
  EXPECT_EQ(desk.state(0), ItemState::committed);
  EXPECT_EQ(desk.state(2), ItemState::sealing);
  desk.hear(SealAsked{r2, ShardId{2}, {row(0)}});
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(false));
}

TEST(Scheduler, AQuestionAskedTwiceIsAnsweredOnce) {
  Desk desk{items_of({10})};
  desk.hear(RankJoined{.rank = r1}).hear(SealAsked{r1, ShardId{1}, {row(0)}});
  EXPECT_THAT(desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}).said, IsEmpty());
  EXPECT_THAT(desk.hear(SealReady{r1, ShardId{1}}).all<CommitShard>(), SizeIs(1));
  EXPECT_THAT(desk.hear(SealReady{r1, ShardId{1}}).said, IsEmpty()) << "neither committed twice nor refused";
}

TEST(Scheduler, ALostRankGivesBackAllButTheShardInTheJournal) {
  Desk desk{items_of({40, 30, 20, 10}), {.expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 10}).hear(RankJoined{.rank = r2, .largest_px = 1});
  desk.hear(ItemComputed{r1, ItemId{0}, 4}, 4)
      .hear(SealAsked{r1, ShardId{1}, {row(0)}})
      .hear(SealReady{r1, ShardId{1}});
  desk.hear(ItemComputed{r1, ItemId{1}, 3}, 7).hear(SealAsked{r1, ShardId{2}, {row(1)}});
  desk.hear(ItemComputed{r1, ItemId{2}, 2}, 9);
  desk.hear(RankLost{r1}, 9.5);
  EXPECT_EQ(desk.state(0), ItemState::sealing) << "its record is being written";
  EXPECT_EQ(desk.state(1), ItemState::quarantined) << "the promise is withdrawn, and nobody left has the memory";
  desk.hear(SealCommitted{r1, ShardId{1}});
  EXPECT_EQ(desk.state(0), ItemState::committed);
  EXPECT_EQ(desk.scheduler.progress(10).blocks_committed, 1U);
}

TEST(Scheduler, AShardOfALostRankIsRefused) {
  Desk desk{items_of({20, 10})};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1).hear(SealAsked{r1, ShardId{1}, {row(0)}}).hear(RankLost{r1});
  EXPECT_THAT(desk.hear(SealReady{r1, ShardId{1}}).all<RefuseShard>(), SizeIs(1));
}

TEST(Scheduler, AnAbortedShardIsMadeAgain) {
  Desk desk{items_of({20, 10})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}).hear(ItemComputed{r1, ItemId{1}, 1}, 2);
  EXPECT_THAT(desk.hear(SealAborted{r1, ShardId{1}}).assigned(r1), ElementsAre(0));
  EXPECT_EQ(desk.state(1), ItemState::computed) << "it lies in the next shard";
  EXPECT_THAT(desk.hear(SealAborted{r1, ShardId{2}}).assigned(r1), ElementsAre(1)) << "lost before the question";
}

TEST(Scheduler, WhatIsMissingInTheSealIsMadeAgain) {
  Desk desk{items_of({20, 10})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemComputed{r1, ItemId{0}, 1}, 1).hear(ItemComputed{r1, ItemId{1}, 1}, 2);
  EXPECT_THAT(desk.all<AskSeal>(), SizeIs(1)) << "nothing is left to do";
  desk.hear(SealAsked{r1, ShardId{1}, {row(1)}});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
}

TEST(Scheduler, OnlyMissingBlocksAreAskedFor) {
  Work work;
  const std::vector<BlockRange> missing{{out, BlockId{2}, 3}, {OutputId{1}, BlockId{0}, 1}};
  work.add(ItemId{5}, 100, missing);
  Desk desk{std::move(work)};
  desk.hear(RankJoined{.rank = r1});
  EXPECT_EQ(desk.all<Assign>().at(0).unit.items[0].blocks, missing);
  desk.hear(SealAsked{r1, ShardId{1}, {row(5, 3), row(5, 0)}});
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(true, false))
      << "block 0 was committed in an earlier epoch";
  desk.hear(SealReady{r1, ShardId{1}}).hear(SealCommitted{r1, ShardId{1}}).hear(ItemReturned{r1, ItemId{5}});
  EXPECT_THAT(desk.all<Assign>().at(0).unit.items[0].blocks,
              ElementsAre(BlockRange{out, BlockId{2}, 1}, BlockRange{out, BlockId{4}, 1}, missing[1]));
}

TEST(Scheduler, AHungItemIsStartedElsewhereAndTheFirstCommitWins) {
  Desk desk{items_of({100, 90}), {.hang_factor = 5, .hang_min_s = 10, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(RankJoined{.rank = r2, .px_per_s = 100});
  desk.hear(ItemComputed{r2, ItemId{1}, 1}, 1);
  EXPECT_THAT(desk.hear(Tick{}, 9).assigned(r2), IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 11).assigned(r2), ElementsAre(0));
  desk.commit(r1, 0, 1, 12, 12);  // it was not dead
  EXPECT_EQ(desk.state(0), ItemState::committed);
  desk.hear(ItemComputed{r2, ItemId{0}, 1}, 13);
  desk.hear(SealAsked{r2, ShardId{1}, {row(1), row(0)}}, 13);
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(true, false));
}

TEST(Scheduler, ARankThatIsHeardAgainGetsItsTimeAnew) {
  Desk desk{items_of({100, 90}), {.hang_min_s = 10, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(RankJoined{.rank = r2, .px_per_s = 100}).hear(Tick{}, 11);
  ASSERT_TRUE(desk.scheduler.ranks().at(0).hangs);
  desk.hear(SealReady{r1, ShardId{9}}, 12).hear(Tick{}, 13);
  EXPECT_FALSE(desk.scheduler.ranks().at(0).hangs);
}

TEST(Scheduler, AFailureOfACopyTellsNothingOnceAnotherWasCommitted) {
  Desk desk{items_of({100, 90}), {.hang_min_s = 10, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(RankJoined{.rank = r2, .px_per_s = 100});
  desk.hear(ItemComputed{r2, ItemId{1}, 1}, 1).hear(Tick{}, 11);
  ASSERT_THAT(desk.assigned(r2), ElementsAre(0));
  desk.commit(r2, 0, 1, 1, 12);
  EXPECT_THAT(desk.hear(ItemFailed{r1, ItemId{0}, Fault::corrupt, "bad memory"}, 13).all<Quarantine>(), IsEmpty());
  EXPECT_EQ(desk.state(0), ItemState::committed);
}

// Found by tests/sim: a rank stopped over one of the last items of a resumed run, before anybody had computed anything.
TEST(Scheduler, ASilentRankHangsAlsoWhereNoSpeedIsKnown) {
  Desk desk{items_of({100, 90}), {.hang_min_s = 10, .hang_unknown_s = 100, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2}).hear(Tick{}, 99);
  EXPECT_FALSE(desk.scheduler.ranks().at(0).hangs);
  desk.hear(Tick{}, 101);
  EXPECT_TRUE(desk.scheduler.ranks().at(0).hangs);
}

TEST(Scheduler, AtAStopNobodyWaitsForARankThatGivesNothingBack) {
  Desk desk{items_of({100, 90}), {.last_patience_s = 15, .expected_ranks = 1}};
  desk.hear(RankJoined{.rank = r1}).hear(Drain{3}, 100).hear(Tick{}, 117);
  EXPECT_THAT(desk.all<Finished>(), IsEmpty());
  desk.hear(Tick{}, 119);
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1)) << "although it is the only one";
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::drained);
}

TEST(Scheduler, ARankIsAskedOnceToSealAndHangsIfItNeverAnswers) {
  Desk desk{items_of({100}), {.seal_timeout_s = 300, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1).all<AskSeal>(), SizeIs(1));
  EXPECT_THAT(desk.hear(Tick{}, 2).said, IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 302).assigned(r2), ElementsAre(0));
  EXPECT_TRUE(desk.scheduler.ranks().at(0).hangs);
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}, 303);
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(true)) << "it came first after all";
  EXPECT_FALSE(desk.scheduler.ranks().at(0).hangs);
}

TEST(Scheduler, AShardThatNeverBecomesReadyIsTakenBack) {
  Desk desk{items_of({100}), {.seal_timeout_s = 300, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1).hear(SealAsked{r1, ShardId{1}, {row(0)}}, 2);
  EXPECT_THAT(desk.hear(Tick{}, 300).all<Assign>(), IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 303).all<Assign>(), SizeIs(1));
  EXPECT_THAT(desk.hear(SealReady{r1, ShardId{1}}, 304).all<RefuseShard>(), SizeIs(1));
}

TEST(Scheduler, TheShardOfTheOnlyRankIsWaitedFor) {
  Desk desk{items_of({100}), {.seal_timeout_s = 300}};
  desk.hear(RankJoined{.rank = r1}).hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}, 2).hear(Tick{}, 3000);
  EXPECT_THAT(desk.hear(SealReady{r1, ShardId{1}}, 3001).all<CommitShard>(), SizeIs(1));
}

TEST(Scheduler, EndsWhenEverythingIsSettledAndDismissesTheRanks) {
  Desk desk{items_of({10})};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  EXPECT_THAT(desk.all<AskSeal>(), SizeIs(1));
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}).hear(SealReady{r1, ShardId{1}});
  EXPECT_FALSE(desk.scheduler.finished());
  desk.hear(SealCommitted{r1, ShardId{1}});
  EXPECT_THAT(desk.all<Dismiss>(), SizeIs(2));
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::complete);
  EXPECT_THAT(desk.hear(Tick{}, 5).said, IsEmpty());
}

TEST(Scheduler, WithNothingToDoItEndsAtTheFirstEvent) {
  Desk desk{Work{}};
  EXPECT_THAT(desk.hear(Tick{}).all<Finished>(), SizeIs(1));
}

TEST(Scheduler, ADrainRecallsSealsAndEnds) {
  Desk desk{items_of({40, 30, 20, 10})};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 10});  // 0 runs, 1 is ahead
  EXPECT_THAT(desk.hear(Drain{}, 1).all<Recall>(), SizeIs(1));
  EXPECT_THAT(desk.hear(ItemReturned{r1, ItemId{1}}, 2).said, IsEmpty());
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{0}, 4}, 4).all<AskSeal>(), SizeIs(1));
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}).hear(SealReady{r1, ShardId{1}}).hear(SealCommitted{r1, ShardId{1}});
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::drained);
  EXPECT_EQ(desk.scheduler.progress(5).count(ItemState::waiting), 3U);
}

TEST(Scheduler, EndsWhenEveryRankIsLost) {
  Desk desk{items_of({10, 20})};
  desk.hear(RankJoined{.rank = r1}).hear(RankLost{r1});
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::out_of_ranks);
}

TEST(Scheduler, ARankThatIsUnableNeitherEndsTheRunNorIsWaitedFor) {
  Desk desk{items_of({10, 20}), {.expected_ranks = 2, .gather_s = 60}};
  EXPECT_THAT(desk.hear(RankUnable{r1}).said, IsEmpty()) << "the other may still come";
  EXPECT_THAT(desk.hear(RankJoined{.rank = r2}, 1).assigned(r2), ElementsAre(1)) << "all have told";
  Desk none{items_of({10, 20}), {.expected_ranks = 2}};
  none.hear(RankUnable{r1}).hear(RankUnable{r2});
  ASSERT_THAT(none.all<Finished>(), SizeIs(1));
  EXPECT_EQ(none.all<Finished>()[0].outcome, Outcome::out_of_ranks);
}

TEST(Scheduler, ADrainThatLosesItsLastRankHasNotEndedInOrder) {
  Desk desk{items_of({10, 20})};
  desk.hear(RankJoined{.rank = r1}).hear(Drain{}, 1);
  desk.hear(ItemComputed{r1, ItemId{1}, 1}, 2).hear(SealAsked{r1, ShardId{1}, {row(1)}}).hear(RankLost{r1});
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::out_of_ranks);
}

TEST(Scheduler, WaitsForTheJournalEvenWhenEveryRankIsLost) {
  Desk desk{items_of({20, 10})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  desk.hear(SealAsked{r1, ShardId{1}, {row(0)}}).hear(SealReady{r1, ShardId{1}});
  EXPECT_THAT(desk.hear(RankLost{r1}).all<Finished>(), IsEmpty());
  EXPECT_THAT(desk.hear(SealCommitted{r1, ShardId{1}}).all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.state(0), ItemState::committed);
}

TEST(Scheduler, RowsOfAQuarantinedItemAreNotWanted) {
  Desk desk{items_of({20, 10})};
  desk.hear(RankJoined{.rank = r1}).hear(ItemFailed{r1, ItemId{0}, Fault::corrupt, ""});
  desk.hear(SealAsked{r1, ShardId{1}, {row(0), row(1)}});
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(false, true));
}

TEST(Scheduler, TooManyInQuarantineStopTheRun) {
  Desk desk{items_of({50, 40, 30, 20, 10}), {.max_quarantine = 1}};
  desk.hear(RankJoined{.rank = r1}).hear(ItemFailed{r1, ItemId{0}, Fault::corrupt, ""});
  EXPECT_FALSE(desk.scheduler.finished());
  desk.hear(ItemFailed{r1, ItemId{1}, Fault::corrupt, ""});
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::too_many_quarantined);
}

TEST(Scheduler, StrangersAndLateWordsAreIgnored) {
  Desk desk{items_of({10, 20})};
  desk.hear(RankJoined{.rank = r1});
  EXPECT_THAT(desk.hear(ItemComputed{r3, ItemId{0}, 1}).said, IsEmpty());
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{0}, 1}).said, IsEmpty()) << "it was never given to this rank";
  EXPECT_THAT(desk.hear(ItemFailed{r1, ItemId{77}, Fault::corrupt, ""}).said, IsEmpty());
  EXPECT_THAT(desk.hear(SealCommitted{r1, ShardId{4}}).said, IsEmpty());
  EXPECT_THAT(desk.hear(RankLost{r3}).said, IsEmpty());
  EXPECT_EQ(desk.state(0), ItemState::waiting);
}

TEST(Scheduler, ProgressForetellsTheRest) {
  Desk desk{items_of({100, 100, 100, 100})};
  desk.hear(RankJoined{.rank = r1});
  EXPECT_TRUE(std::isinf(desk.scheduler.progress(0).remaining_s));
  desk.hear(ItemComputed{r1, ItemId{0}, 10}, 10);
  const auto progress = desk.scheduler.progress(15);
  EXPECT_NEAR(progress.remaining_s, 25, 1e-9);
  EXPECT_EQ(progress.px_left, 300U);
  EXPECT_EQ(progress.px_total, 400U);
  EXPECT_EQ(progress.count(ItemState::computed), 1U);
  EXPECT_EQ(progress.count(ItemState::running), 2U);
  ASSERT_THAT(desk.scheduler.ranks(), SizeIs(1));
  EXPECT_THAT(desk.scheduler.ranks()[0].running, ElementsAre(ItemId{1}, ItemId{2}));
  EXPECT_EQ(desk.scheduler.ranks()[0].open_items, 1U);
}

}  // namespace
}  // namespace pantile
