#include "report/rate.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

using namespace std::chrono_literals;

TEST(RateMeter, KnowsNothingAtFirst) {
  RateMeter meter;
  EXPECT_EQ(meter.pixels_per_s(), 0);
  meter.add(RateMeter::Time{}, 500);
  EXPECT_EQ(meter.pixels_per_s(), 0);
  EXPECT_FALSE(meter.eta_s(100).has_value());
}

TEST(RateMeter, ForgetsWhatIsOlderThanItsWindow) {
  RateMeter meter{10s};
  RateMeter::Time now{};
  std::uint64_t done = 0;
  for (int i = 0; i < 1000; ++i) {
    meter.add(now += 100ms, done += 10);
  }
  EXPECT_NEAR(meter.pixels_per_s(), 100, 1);
  for (int i = 0; i < 200; ++i) {
    meter.add(now += 100ms, done += 30);
  }
  EXPECT_NEAR(meter.pixels_per_s(), 300, 5);
  EXPECT_NEAR(*meter.eta_s(3000), 10, 0.5);
}

TEST(RateMeter, KeepsItsSpeedWhileOneLargeItemTakesLonger) {
  RateMeter meter{10s};
  RateMeter::Time now{};
  meter.add(now, 0);
  meter.add(now += 10s, 1000);
  double last = meter.pixels_per_s();
  for (int i = 0; i < 300; ++i) {
    meter.add(now += 1s, 1000);
    EXPECT_GT(meter.pixels_per_s(), 0);
    EXPECT_LE(meter.pixels_per_s(), last) << "it sinks slowly, as nothing is done";
    last = meter.pixels_per_s();
  }
  meter.add(now += 1s, 32'000);
  EXPECT_GT(meter.pixels_per_s(), 90);
}

TEST(RateMeter, CallsMayBeAsFrequentAsOneLikes) {
  RateMeter meter{10s};
  RateMeter::Time now{};
  for (int i = 0; i < 1'000'000; ++i) {
    meter.add(now += 1us, 7);
  }
  EXPECT_EQ(meter.pixels_per_s(), 0);
}

}  // namespace
}  // namespace pantile
