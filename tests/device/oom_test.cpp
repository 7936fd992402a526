#include "device/oom.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

TEST(RecentOomKills, KnowsTheLastSecondsOnly) {
  std::uint64_t count = 7;
  const auto counted = [&] { return count; };
  RecentOomKills kills{count, 100};
  EXPECT_EQ(kills.lately(count), 0U) << "what was before it is not its matter";
  count = 8;
  for (const double now_s : {101.0, 105.0, 109.0}) {
    kills.look(now_s, counted);
    EXPECT_EQ(kills.lately(count), 1U) << now_s;
  }
  kills.look(110, counted);
  EXPECT_EQ(kills.lately(count), 0U) << "somebody else's, long ago";
}

/// Whoever looks often sees each kill for at least so long after it.
TEST(RecentOomKills, NeverForgetsOneAtOnce) {
  for (double killed_s = 0; killed_s < 20; killed_s += 0.1) {
    std::uint64_t count = 0;
    RecentOomKills kills{count, 0};
    for (double now_s = 0; now_s < killed_s + RecentOomKills::least_s - 0.01; now_s += 0.01) {
      count = now_s >= killed_s ? 1 : 0;
      kills.look(now_s, [&] { return count; });
      ASSERT_EQ(kills.lately(count), count) << "killed at " << killed_s << ", now " << now_s;
    }
  }
}

}  // namespace
}  // namespace pantile
