#include "report/continued.hpp"

#include <gtest/gtest.h>

#include "report/states.hpp"

namespace pantile {
namespace {

TEST(Continued, TheFirstStartIsShownAsItIs) {
  Continued continued;
  EXPECT_EQ(continued(busy_state()), busy_state());
}

TEST(Continued, ALossTakesNeitherTheBarNorTheClockBack) {
  Continued continued;
  LiveState live = busy_state();
  live.pixels_done = 500;
  live.pixels = 1000;
  live.pixels_before = 100;
  static_cast<void>(continued(live));
  live.epoch = 3;
  live.started += std::chrono::minutes{5};
  live.pixels_before = live.pixels_done = 400;  // a fifth of what was done was computed, and not committed
  LiveState shown = continued(live);
  EXPECT_EQ(shown.pixels_done, 500U);
  EXPECT_EQ(shown.started, busy_state().started);
  EXPECT_EQ(shown.pixels_before, 100U) << "the mean speed is that of all starts together";
  live.pixels_done = 600;
  EXPECT_EQ(continued(live).pixels_done, 600U);
}

}  // namespace
}  // namespace pantile
