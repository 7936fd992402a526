// What the scheduler does while the disk has no room, or is slow.

#include <gtest/gtest.h>

#include "plan/desk.hpp"

namespace pantile {
namespace {

constexpr RankId first{1};
constexpr RankId second{2};

TEST(SchedulerSpace, BeginsNothingNewUntilThereIsRoomAgain) {
  for (const Space space : {Space::low, Space::full}) {
    Desk desk{items_of({100, 90, 80}), {.expected_ranks = 1}};
    desk.hear(RankJoined{first});
    ASSERT_EQ(desk.assigned(first).size(), 1U);
    desk.hear(SpaceIs{space}, 1).commit(first, 0, 0, 1, 2);
    EXPECT_TRUE(desk.all<Assign>().empty());
    desk.hear(Tick{}, 1000);
    EXPECT_TRUE(desk.all<Assign>().empty());
    EXPECT_FALSE(desk.scheduler.finished()) << "it waits";
    desk.hear(SpaceIs{Space::enough}, 1001);
    EXPECT_FALSE(desk.assigned(first).empty());
  }
}

TEST(SchedulerSpace, ClosesOpenShardsWhileItWaits) {
  Desk desk{items_of({100, 90}), {.expected_ranks = 1}};
  desk.hear(RankJoined{first}).hear(SpaceIs{Space::low}, 1);
  EXPECT_TRUE(desk.all<AskSeal>().empty()) << "it is at work";
  desk.hear(ItemComputed{first, ItemId{0}, 1}, 2);
  EXPECT_EQ(desk.all<AskSeal>().size(), 1U) << "what is done is made safe";
}

TEST(SchedulerSpace, MakesWhatACondemnedShardHadAgain) {
  Desk desk{items_of({100, 90}), {.expected_ranks = 1}};
  desk.hear(RankJoined{first}).hear(ItemComputed{first, ItemId{0}, 1}, 1);
  desk.hear(SpaceIs{Space::full}, 2).hear(SealAborted{first, ShardId{0}}, 2);
  EXPECT_EQ(desk.state(0), ItemState::waiting);
  EXPECT_TRUE(desk.all<Assign>().empty());
  desk.hear(ItemComputed{first, ItemId{1}, 1}, 3).hear(SpaceIs{Space::enough}, 4);
  EXPECT_EQ(desk.assigned(first), std::vector<std::uint64_t>{0});
}

TEST(SchedulerSpace, StopsAtOnceOnAFullDiskAndKeepsWhatCanBeSealed) {
  Desk desk{items_of({100, 90, 80}), {.expected_ranks = 2}};
  desk.hear(RankJoined{first}).hear(RankJoined{second}, 1);
  desk.hear(ItemComputed{first, ItemId{0}, 1}, 2).hear(SpaceIs{Space::full}, 3);
  desk.hear(Drain{}, 4);
  ASSERT_EQ(desk.all<AskSeal>().size(), 1U) << "the first has an open shard, whatever else it is at";
  EXPECT_TRUE(desk.all<Finished>().empty()) << "the shard is waited for";
  desk.hear(SealAsked{first, ShardId{0}, {row(0)}}, 5);
  desk.hear(SealAborted{first, ShardId{0}}, 6);
  ASSERT_EQ(desk.all<Finished>().size(), 1U) << "what the second computes is not";
  EXPECT_EQ(desk.all<Finished>().front().outcome, Outcome::drained);
}

TEST(SchedulerSpace, WaitsForWhatHasBegunIfItStillFits) {
  Desk desk{items_of({100, 90}), {.expected_ranks = 1}};
  desk.hear(RankJoined{first}).hear(SpaceIs{Space::low}, 1).hear(Drain{}, 2);
  EXPECT_TRUE(desk.all<Finished>().empty());
  desk.commit(first, 0, 0, 1, 3);
  ASSERT_EQ(desk.all<Finished>().size(), 1U);
  EXPECT_EQ(desk.all<Finished>().front().outcome, Outcome::drained);
}

TEST(SchedulerSpace, NobodyHangsBecauseTheDiskIsFull) {
  Desk desk{items_of({100, 90, 80, 70}), {.hang_min_s = 10, .seal_timeout_s = 20, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = first, .px_per_s = 100}).hear(RankJoined{.rank = second, .px_per_s = 100});
  desk.hear(ItemComputed{first, ItemId{0}, 1}, 1).hear(SealAsked{first, ShardId{0}, {row(0)}}, 1);
  desk.hear(SpaceIs{Space::full}, 2).hear(Tick{}, 1000);
  EXPECT_FALSE(desk.scheduler.ranks().at(0).hangs || desk.scheduler.ranks().at(1).hangs);
  EXPECT_EQ(desk.state(0), ItemState::sealing) << "the promise holds";
  desk.hear(SpaceIs{Space::enough}, 1001).hear(Tick{}, 1005);
  EXPECT_FALSE(desk.scheduler.ranks().at(0).hangs || desk.scheduler.ranks().at(1).hangs);
  EXPECT_EQ(desk.state(0), ItemState::sealing);
  desk.hear(Tick{}, 1100);
  EXPECT_TRUE(desk.scheduler.ranks().at(0).hangs || desk.scheduler.ranks().at(1).hangs) << "the usual rules hold again";
}

TEST(SchedulerSpace, NobodyHangsWhoWaitsForASlowDisk) {
  Desk desk{items_of({100, 90}), {.hang_min_s = 10, .seal_timeout_s = 20, .expected_ranks = 2}};
  desk.hear(RankJoined{.rank = first, .px_per_s = 100}).hear(RankJoined{.rank = second, .px_per_s = 100});
  for (double now_s = 5; now_s < 200; now_s += 5) {
    desk.hear(RankWaits{first}, now_s).hear(RankWaits{second}, now_s).hear(Tick{}, now_s);
    ASSERT_FALSE(desk.scheduler.ranks().at(0).hangs || desk.scheduler.ranks().at(1).hangs) << now_s;
  }
  desk.hear(RankWaits{first}, 220).hear(Tick{}, 220);
  EXPECT_TRUE(desk.scheduler.ranks().at(1).hangs) << "silent, and not because of its disk";
}

}  // namespace
}  // namespace pantile
