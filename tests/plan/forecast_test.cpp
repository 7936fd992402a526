#include "plan/forecast.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "plan/desk.hpp"

namespace pantile {
namespace {

using Policy = ScheduleConfig::Policy;

TEST(Forecast, OneRankNeedsTheSum) {
  const Work work = items_of({10, 20, 30});
  const std::vector<double> seconds{1, 2, 3};
  const std::vector<double> speeds{2};
  const Forecast result = forecast(work, seconds, speeds, {});
  EXPECT_DOUBLE_EQ(result.makespan_s, 3);
  EXPECT_DOUBLE_EQ(result.bound_s, 3);
  EXPECT_TRUE(result.is_played);
}

TEST(Forecast, AnItemIsNotSharedByRanks) {
  const Work work = items_of({100, 1, 1});
  const std::vector<double> seconds{10, 0.1, 0.1};
  const std::vector<double> speeds{1, 1};
  const Forecast result = forecast(work, seconds, speeds, {});
  EXPECT_NEAR(result.makespan_s, 10, 1e-9);
  EXPECT_NEAR(result.bound_s, 5.1, 1e-9);
}

TEST(Forecast, ThePolicyIsPlayedAndNotAssumed) {
  std::mt19937_64 random{1};
  std::lognormal_distribution<double> size{0, 1};
  std::vector<std::uint64_t> costs;
  std::vector<double> seconds;
  for (int i = 0; i < 300; ++i) {
    costs.push_back(static_cast<std::uint64_t>(1 + 1e6 * size(random)));
    seconds.push_back(static_cast<double>(costs.back()) / 1e6);
  }
  const std::vector<double> speeds{4, 2, 1};
  const auto ratio = [&](Policy policy) {
    const Forecast result = forecast(items_of(costs), seconds, speeds, {.policy = policy});
    return result.makespan_s / result.bound_s;
  };
  EXPECT_LT(ratio(Policy::resolution), 1.02);
  EXPECT_NEAR(ratio(Policy::equal), 7.0 / 3, 0.3) << "a third of the items on the rank of a seventh of the speed";
}

TEST(Forecast, NothingToDoTakesNoTime) {
  const std::vector<double> speeds{1};
  EXPECT_EQ(forecast(Work{}, {}, speeds, {}).makespan_s, 0);
}

}  // namespace
}  // namespace pantile
