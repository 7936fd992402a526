// The deadline: nothing is begun that would not be committed in time, and what is begun nevertheless comes back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/desk.hpp"

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr RankId r1{1};
constexpr RankId r2{2};

/// Two seconds for the end, and sealing that costs nothing, so that the figures below are easy.
SchedulerSettings settings(std::uint32_t ranks = 1) {
  return {.unit_s = 0, .expected_ranks = ranks, .close_s = 2, .seal_px_per_s = 1e18};
}

TEST(Deadline, AnItemThatWouldNotBeCommittedInTimeIsNotBegunAndSmallerOnesAre) {
  Desk desk{items_of({300, 100, 50}), settings()};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1, .px_per_s = 10});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(1, 2)) << "300 px take 30 s, and 18 s are left";
  desk.commit(r1, 1, 1, 10, 10);
  desk.commit(r1, 2, 2, 5, 15);
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::drained);
}

TEST(Deadline, WithoutOneAllIsBegun) {
  Desk desk{items_of({300, 100, 50}), settings()};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 10});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0, 1));
}

TEST(Deadline, AFasterRankTakesWhatTheSlowOneCannotMakeInTime) {
  Desk desk{items_of({300, 100}), settings(2)};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1, .px_per_s = 10}).hear(RankJoined{.rank = r2, .px_per_s = 100});
  EXPECT_THAT(desk.assigned(r1), testing::Not(testing::Contains(0)));
  EXPECT_THAT(desk.assigned(r2), testing::Contains(0));
}

TEST(Deadline, TheMarginGrowsWithTheOpenShard) {
  auto slow_disk = settings();
  slow_disk.seal_px_per_s = 50;
  Desk desk{items_of({100, 90, 80}), slow_disk};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0, 1));
  desk.hear(Deadline{7}, 0.5);
  desk.hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  // Done at 1.9 s with 90 px more in the shard; 80 px more were done at 2.7 s, and 270 px take 5.4 s to seal.
  EXPECT_THAT(desk.assigned(r1), IsEmpty());
  Desk roomy{items_of({100, 90, 80}), settings()};
  roomy.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(Deadline{7}, 0.5).hear(ItemComputed{r1, ItemId{0}, 1}, 1);
  EXPECT_THAT(roomy.assigned(r1), ElementsAre(2));
}

TEST(Deadline, BeforeASpeedIsKnownTheSmallestItemIsTried) {
  Desk desk{items_of({300, 100, 50}), settings()};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(2)) << "the largest might take all the time, at every start anew";
  desk.hear(ItemComputed{r1, ItemId{2}, 5}, 5);
  EXPECT_THAT(desk.assigned(r1), ElementsAre(1)) << "10 px/s: 100 px are done at 15 s";
}

TEST(Deadline, WhenNothingFitsItSaysWhatIsLeftAndHowLongItWouldTake) {
  Desk desk{items_of({300, 50}), settings()};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1, .px_per_s = 10});
  EXPECT_THAT(desk.all<TimeIsUp>(), IsEmpty()) << "one still runs";
  EXPECT_THAT(desk.hear(ItemComputed{r1, ItemId{1}, 5}, 5).all<AskSeal>(), SizeIs(1)) << "at once, not at the end";
  ASSERT_THAT(desk.all<TimeIsUp>(), SizeIs(1));
  const TimeIsUp told = desk.all<TimeIsUp>()[0];
  EXPECT_EQ(told.items_left, 1U);
  EXPECT_EQ(told.largest, ItemId{0});
  EXPECT_DOUBLE_EQ(told.needs_s, 30);
  EXPECT_DOUBLE_EQ(told.leaves_s, 18);
  EXPECT_THAT(desk.hear(Tick{}, 6).all<TimeIsUp>(), IsEmpty()) << "once";
}

TEST(Deadline, WhatTakesLongerThanPredictedIsCalledBack) {
  Desk desk{items_of({100, 100}), settings()};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1, .px_per_s = 10});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
  EXPECT_THAT(desk.hear(Tick{}, 16.9).all<Recall>(), IsEmpty());
  desk.hear(Tick{}, 17.25);
  ASSERT_THAT(desk.all<Recall>(), SizeIs(1));
  EXPECT_DOUBLE_EQ(desk.all<Recall>()[0].patience_s, 0.75);
  EXPECT_THAT(desk.all<TimeIsUp>(), SizeIs(1));
  EXPECT_EQ(desk.hear(ItemReturned{r1, ItemId{0}}, 18).all<AskSeal>().size(), 1U) << "it may be half made";
  desk.hear(SealAsked{r1, ShardId{0}, {}}, 18);
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::drained);
}

TEST(Deadline, ARunThatIsDoneBeforeItsDeadlineIsComplete) {
  Desk desk{items_of({50}), settings()};
  desk.hear(Deadline{20}, 0).hear(RankJoined{.rank = r1, .px_per_s = 10});
  desk.commit(r1, 0, 1, 5, 5);
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::complete);
}

TEST(Deadline, ADeadlineThatPassesWhileNobodyJoinsEndsTheRun) {
  Desk desk{items_of({50}), settings()};
  EXPECT_THAT(desk.hear(Deadline{20}, 0).hear(Tick{}, 10).all<Finished>(), IsEmpty());
  EXPECT_THAT(desk.hear(Tick{}, 17.5).all<Finished>(), SizeIs(1));
}

TEST(Drain, LessPatienceHoldsAndMoreSaysNothing) {
  Desk desk{items_of({100, 100}), settings()};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 10}).hear(Drain{3}, 1);
  ASSERT_THAT(desk.all<Recall>(), SizeIs(1));
  EXPECT_DOUBLE_EQ(desk.all<Recall>()[0].patience_s, 3);
  EXPECT_THAT(desk.hear(Drain{3}, 1).all<Recall>(), IsEmpty());
  ASSERT_THAT(desk.hear(Drain{0}, 1).all<Recall>(), SizeIs(1));
  EXPECT_DOUBLE_EQ(desk.all<Recall>()[0].patience_s, 0);
}

TEST(Drain, RowsOfAnItemThatCameBackHalfMadeAreSealed) {
  Work work;
  const BlockRange two{OutputId{0}, BlockId{0}, 2};
  work.add(ItemId{0}, 100, {&two, 1});
  Desk desk{std::move(work), settings()};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 10}).hear(Drain{0}, 1);
  EXPECT_THAT(desk.hear(ItemReturned{r1, ItemId{0}}, 2).all<AskSeal>(), SizeIs(1));
  EXPECT_FALSE(desk.scheduler.finished()) << "the rows of its first block may be in the open shard";
  desk.hear(SealAsked{r1, ShardId{1}, {row(0, 0)}}, 3);
  EXPECT_THAT(desk.all<SealVerdict>().at(0).wanted, ElementsAre(true));
  EXPECT_FALSE(desk.scheduler.finished());
  desk.hear(SealReady{r1, ShardId{1}}, 3).hear(SealCommitted{r1, ShardId{1}}, 3);
  ASSERT_THAT(desk.all<Finished>(), SizeIs(1));
  EXPECT_EQ(desk.all<Finished>()[0].outcome, Outcome::drained);
  EXPECT_EQ(desk.scheduler.progress(3).blocks_committed, 1U);
}

}  // namespace
}  // namespace pantile
