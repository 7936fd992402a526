#include "plan/rank_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ranks_at_work.hpp"

namespace pantile {
namespace {

TEST(RankSpeed, IsPixelsOverSecondsWithRecentWorkFirst) {
  RankSpeed speed;
  EXPECT_FALSE(speed.is_known());
  speed.learn(10, 9);  // two items side by side: the second seems to have cost nothing
  speed.learn(10, 1);
  EXPECT_NEAR(speed.px_per_s(), 2, 0.5);
  for (int i = 0; i < 50; ++i) {
    speed.learn(50, 1);
  }
  EXPECT_NEAR(speed.px_per_s(), 50, 0.1);
  speed.learn(0, 5);
  speed.learn(5, 0);
  EXPECT_NEAR(speed.px_per_s(), 50, 0.1) << "what says nothing changes nothing";
}

TEST(Rank, IsBusyForWhatItHoldsLessWhatItHasDone) {
  RankPool pool;
  auto& rank = joined(pool, 1, 10);
  EXPECT_DOUBLE_EQ(rank.busy_s(5), 0);
  give(pool, rank, 0, 100, 5);
  give(pool, rank, 1, 50, 6);
  EXPECT_DOUBLE_EQ(rank.busy_s(5), 15);
  EXPECT_DOUBLE_EQ(rank.busy_s(10), 10);
  EXPECT_DOUBLE_EQ(rank.busy_s(15), 5);
  EXPECT_DOUBLE_EQ(rank.busy_s(18), 8) << "three seconds late: three more are expected";
  EXPECT_DOUBLE_EQ(rank.busy_s_with(20, 10), 12);
  EXPECT_TRUE(rank.remove(0, 16));
  EXPECT_FALSE(rank.remove(0, 16));
  EXPECT_DOUBLE_EQ(rank.busy_s(17), 4);
}

TEST(RankPool, RanksOfUnknownSpeedAreTakenForTheMeanOfTheOthersALane) {
  RankPool pool;
  auto& known = pool.join(RankId{1});
  known.lanes = 2;
  auto& unknown = pool.join(RankId{2});
  unknown.lanes = 4;
  pool.standing_changed(unknown);
  EXPECT_FALSE(pool.any_speed_known());
  pool.learn(known, 100, 1);
  EXPECT_DOUBLE_EQ(unknown.speed.px_per_s(), 200);
  EXPECT_DOUBLE_EQ(pool.total_px_per_s(), 300);
}

TEST(RankPool, AHangingRankHasNoRoomAndNoSpeed) {
  RankPool pool;
  auto& rank = joined(pool, 1, 10);
  joined(pool, 2, 30);
  rank.hangs = true;
  pool.standing_changed(rank);
  EXPECT_DOUBLE_EQ(pool.total_px_per_s(), 30);
  EXPECT_EQ(pool.with_room(0).size(), 1U);
}

TEST(RankPool, TheFirstToBeFreeIsAskedFirst) {
  RankPool pool;
  auto& busy = joined(pool, 1, 10);
  auto& idle = joined(pool, 2, 10);
  auto& full = joined(pool, 3, 10);
  give(pool, busy, 0, 100, 0);
  give(pool, full, 1, 1, 0);
  give(pool, full, 2, 1, 0);
  EXPECT_THAT(pool.with_room(0), ::testing::ElementsAre(&idle, &busy));
}

}  // namespace
}  // namespace pantile
