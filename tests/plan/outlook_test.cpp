#include "plan/outlook.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "ranks_at_work.hpp"

namespace pantile {
namespace {

TEST(Outlook, AnswersAsIfEachRankWereAskedAnew) {
  RankPool pool;
  auto& fast = joined(pool, 1, 40);
  auto& slow = joined(pool, 2, 10);
  give(pool, fast, 0, 80, 0);
  give(pool, slow, 1, 5, 0);
  Outlook outlook{pool, 0};
  EXPECT_NEAR(outlook.others_done_s(slow, 120), 5, 1e-9);
  const auto all = [](const Rank&) { return true; };
  EXPECT_NEAR(outlook.earliest_elsewhere_s(slow, 7, 40, all), 3, 1e-9);
  EXPECT_NEAR(outlook.earliest_elsewhere_s(fast, 7, 40, all), 4.5, 1e-9);
  EXPECT_TRUE(std::isinf(outlook.earliest_elsewhere_s(fast, 8, 40, [&](const Rank& rank) { return &rank == &fast; })));
  give(pool, fast, 2, 40, 0);
  outlook.forget();
  EXPECT_NEAR(outlook.earliest_elsewhere_s(slow, 7, 40, all), 4, 1e-9);
  pool.lose(RankId{1});
  Outlook alone{pool, 0};
  EXPECT_TRUE(std::isinf(alone.others_done_s(slow, 10)));
}

}  // namespace
}  // namespace pantile
