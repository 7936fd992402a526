#include "source/probe_board.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pantile {
namespace {

constexpr RankId self{0};
constexpr RankId other{1};

std::vector<bool> all(std::uint64_t count, bool value) { return std::vector<bool>(count, value); }

TEST(ProbeBoard, DealsTheItemsOutOnce) {
  ProbeBoard board{ItemId{10}, ItemId{35}, 10};
  EXPECT_EQ(board.next(other), (ProbeTask{0, ItemId{10}, 10}));
  EXPECT_EQ(board.next(self), (ProbeTask{1, ItemId{20}, 10}));
  EXPECT_EQ(board.next(other), (ProbeTask{2, ItemId{30}, 5}));
  EXPECT_FALSE(board.next(other)) << "what is out is not given to another rank that may be just as slow";
  EXPECT_EQ(board.answer(other, 0, all(10, true)), all(10, true));
  EXPECT_EQ(board.answer(self, 1, all(10, false)), all(10, true)) << "rank 0's word counts, whatever it is";
  EXPECT_FALSE(board.done());
  EXPECT_EQ(board.answer(other, 2, all(5, true)), all(5, true));
  EXPECT_TRUE(board.done());
}

TEST(ProbeBoard, OfNothingIsDone) { EXPECT_TRUE((ProbeBoard{ItemId{3}, ItemId{3}, 10}.done())); }

TEST(ProbeBoard, WhatAnotherRankCannotReadIsLookedAtHere) {
  ProbeBoard board{ItemId{0}, ItemId{4}, 4};
  ASSERT_TRUE(board.next(other));
  EXPECT_EQ(board.answer(other, 0, {true, false, false, true}), (std::vector<bool>{true, false, false, true}));
  EXPECT_FALSE(board.next(other));
  const auto again = board.next(self);
  ASSERT_TRUE(again);
  EXPECT_EQ(std::pair(again->first, again->count), std::pair(ItemId{1}, std::uint64_t{2}));
  EXPECT_EQ(board.answer(other, again->number, all(2, true)), all(2, false)) << "it is rank 0 that is asked";
  EXPECT_EQ(board.answer(self, again->number, all(2, false)), all(2, true));
  EXPECT_TRUE(board.done());
}

TEST(ProbeBoard, ARankThatSeesNothingGetsNoMore) {
  ProbeBoard board{ItemId{0}, ItemId{1000}, 100};
  ASSERT_TRUE(board.next(other));
  static_cast<void>(board.answer(other, 0, all(100, false)));
  EXPECT_FALSE(board.next(other));
  EXPECT_TRUE(board.next(RankId{2}));
}

TEST(ProbeBoard, ASlowRankIsNotWaitedForAndItsLateAnswerCountsForNothing) {
  ProbeBoard board{ItemId{0}, ItemId{10}, 10};
  ASSERT_TRUE(board.next(other));
  const auto taken = board.next(self);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->number, 0U);
  EXPECT_FALSE(board.next(self)) << "one thread of rank 0 is enough";
  EXPECT_EQ(board.answer(self, 0, all(10, true)), all(10, true));
  EXPECT_TRUE(board.done());
  EXPECT_EQ(board.answer(other, 0, all(10, true)), all(10, false));
}

TEST(ProbeBoard, WhatALostRankHadGoesToAnyOther) {
  ProbeBoard board{ItemId{0}, ItemId{10}, 10};
  ASSERT_TRUE(board.next(other));
  board.lose(other);
  EXPECT_FALSE(board.next(other));
  EXPECT_EQ(board.next(RankId{2}), (ProbeTask{0, ItemId{0}, 10}));
}

/// Ranks answer in any order, late or never, some see nothing: each item is settled exactly once, and by rank 0 or by a
/// rank that could read it.
TEST(ProbeBoard, SettlesEachItemOnceWhateverTheRanksDo) {
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const std::uint64_t end = 5 + random() % 900;
    ProbeBoard board{ItemId{5}, ItemId{end}, 1 + random() % 60};
    std::vector<int> settled(end, 0);
    std::vector<std::pair<RankId, ProbeTask>> out;
    std::vector<bool> blind{false, chance(30), chance(30), chance(30)};
    std::vector<bool> lost(4, false);
    for (int step = 0; !board.done(); ++step) {
      ASSERT_LT(step, 100'000) << "it ends";
      const auto rank = static_cast<int>(random() % 4);
      if (rank > 0 && chance(1)) {
        lost[static_cast<std::size_t>(rank)] = true;
        board.lose(RankId{rank});
      }
      if (const auto task = lost[static_cast<std::size_t>(rank)] ? std::nullopt : board.next(RankId{rank})) {
        out.emplace_back(RankId{rank}, *task);
      }
      if (out.empty() || !chance(60)) {
        continue;
      }
      const auto at = out.begin() + static_cast<std::ptrdiff_t>(random() % out.size());
      const auto [from, task] = *at;
      if (index(from) != 0 && chance(5)) {
        continue;  // It takes its time.
      }
      out.erase(at);
      std::vector<bool> readable(task.count);
      for (auto&& one : readable) {
        one = !blind[static_cast<std::size_t>(index(from))] && !chance(5);
      }
      const std::vector<bool> counts = board.answer(from, task.number, readable);
      for (std::uint64_t i = 0; i < task.count; ++i) {
        settled[index(task.first) + i] += counts[i] ? 1 : 0;
        EXPECT_TRUE(!counts[i] || index(from) == 0 || readable[i]);
      }
    }
    EXPECT_TRUE(std::all_of(settled.begin() + 5, settled.end(), [](int times) { return times == 1; }));
    EXPECT_TRUE(std::all_of(settled.begin(), settled.begin() + 5, [](int times) { return times == 0; }));
  }
}

}  // namespace
}  // namespace pantile
