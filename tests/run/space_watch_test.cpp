#include "run/space_watch.hpp"

#include <gtest/gtest.h>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;

constexpr SpaceNeeds needs{.in_flight = 100 * MiB, .unit = 10 * MiB, .left = 10 * GiB, .reserve = MiB, .workers = 4};
constexpr auto writable = [] { return true; };
constexpr auto not_writable = [] { return false; };

TEST(SpaceWatch, HoldsBackBeforeWhatIsInFlightDoesNotFitAndGoesOnAboveThat) {
  EXPECT_EQ(needs.least(), (100 + 2 * 4 * 10 + 4 + 1) * MiB);
  EXPECT_GT(needs.enough(), needs.least() + 8 * needs.unit);
  SpaceWatch watch{10min};
  watch.look(needs.least(), needs, 0, writable);
  EXPECT_EQ(watch.space(), Space::enough);
  watch.look(needs.least() - 1, needs, 1, writable);
  EXPECT_EQ(watch.space(), Space::low);
  watch.look(needs.enough() - 1, needs, 2, writable);
  EXPECT_EQ(watch.space(), Space::low) << "else it would stop at once again";
  watch.look(needs.enough(), needs, 3, writable);
  EXPECT_EQ(watch.space(), Space::enough);
}

TEST(SpaceWatch, AsksForNoMoreThanTheRunCanStillWrite) {
  SpaceNeeds last = needs;
  last.left = 3 * MiB;
  SpaceWatch watch{10min};
  watch.look((3 + 4 + 1) * MiB, last, 0, writable);
  EXPECT_EQ(watch.space(), Space::enough);
}

TEST(SpaceWatch, BelievesAWriteAndNotTheFigureAfterALoss) {
  SpaceWatch watch{10min};
  watch.lost_a_shard(10);
  EXPECT_EQ(watch.space(), Space::full);
  watch.look(1 * TiB, needs, 10.5, writable);
  EXPECT_EQ(watch.space(), Space::full) << "not within the second";
  watch.look(1 * TiB, needs, 12, not_writable);
  EXPECT_EQ(watch.space(), Space::full) << "a quota is not in the figure";
  watch.look(1 * TiB, needs, 13, writable);
  EXPECT_EQ(watch.space(), Space::enough);
}

TEST(SpaceWatch, TriesLessAndLessOftenWhileNothingIsCommitted) {
  SpaceWatch watch{10min};
  double now_s = 0;
  for (const double pause_s : {1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0}) {
    watch.lost_a_shard(now_s);
    watch.look(1 * TiB, needs, now_s + pause_s - 0.01, writable);
    EXPECT_EQ(watch.space(), Space::full) << pause_s;
    now_s += pause_s;
    watch.look(1 * TiB, needs, now_s, writable);
    EXPECT_EQ(watch.space(), Space::enough) << pause_s;
  }
  watch.committed();
  watch.lost_a_shard(now_s);
  watch.look(1 * TiB, needs, now_s + 1, writable);
  EXPECT_EQ(watch.space(), Space::enough) << "work became durable since";
}

bool gives_up(SpaceWatch& watch, double now_s) {
  const auto news = watch.news(now_s);
  return news && news->gives_up;
}

TEST(SpaceWatch, GivesUpAfterItsPatience) {
  SpaceWatch watch{10s};
  watch.lost_a_shard(100);
  EXPECT_FALSE(gives_up(watch, 109));
  EXPECT_TRUE(gives_up(watch, 110));
  EXPECT_FALSE(gives_up(watch, 120)) << "that is said once";
}

TEST(SpaceWatch, ItsPatienceIsRestoredByACommitAndNothingElse) {
  SpaceWatch watch{10s};
  watch.lost_a_shard(100);
  watch.look(1 * TiB, needs, 105, writable);
  watch.committed();
  watch.lost_a_shard(108);
  EXPECT_FALSE(gives_up(watch, 115));
  watch.look(1 * TiB, needs, 116, writable);
  EXPECT_FALSE(gives_up(watch, 117)) << "it goes on";
  watch.lost_a_shard(118);
  EXPECT_TRUE(gives_up(watch, 118)) << "and got nowhere";
}

TEST(SpaceWatch, ShortSpellsOfLittleSpaceDoNotAddUp) {
  SpaceWatch watch{10s};
  for (double now_s = 0; now_s < 100; now_s += 5) {
    watch.look(0, needs, now_s, writable);
    EXPECT_FALSE(gives_up(watch, now_s)) << now_s;
    watch.look(1 * TiB, needs, now_s + 1, writable);
    EXPECT_FALSE(gives_up(watch, now_s + 1)) << now_s;
  }
  // But one between two losses is no end of theirs.
  watch.lost_a_shard(200);
  watch.look(1 * TiB, needs, 202, writable);
  watch.look(0, needs, 204, writable);
  watch.look(1 * TiB, needs, 206, writable);
  EXPECT_FALSE(gives_up(watch, 206));
  watch.lost_a_shard(210);
  EXPECT_TRUE(gives_up(watch, 210));
}

TEST(SpaceWatch, WithoutPatienceItGivesUpAtOnce) {
  SpaceWatch watch{0s};
  EXPECT_FALSE(gives_up(watch, 5));
  watch.look(0, needs, 5, writable);
  EXPECT_TRUE(gives_up(watch, 5));
}

TEST(SpaceWatch, TellsEachChangeOnceAndAlsoThoseAfterItHasGivenUp) {
  SpaceWatch watch{0s};
  watch.look(0, needs, 5, writable);
  ASSERT_TRUE(gives_up(watch, 5));
  EXPECT_FALSE(watch.news(6).has_value());
  watch.lost_a_shard(7);
  const auto news = watch.news(7);
  ASSERT_TRUE(news.has_value()) << "else the run would wait for what can never be stored";
  EXPECT_EQ(news->space, Space::full);
  EXPECT_FALSE(news->gives_up);
}

}  // namespace
}  // namespace pantile
