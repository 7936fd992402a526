#include "report/progress_words.hpp"

#include <gtest/gtest.h>

namespace pantile::words {
namespace {

using namespace std::chrono_literals;

TEST(ProgressWords, FiguresHaveThreeDigits) {
  EXPECT_EQ(duration(-5s), "00:00");
  EXPECT_EQ(duration(134s), "02:14");
  EXPECT_EQ(duration(75h + 134s), "75:02:14");
  EXPECT_EQ(pixels(0), "0.00 Mpx");
  EXPECT_EQ(pixels(20.7e9), "20.7 Gpx");
  EXPECT_EQ(rate(168.4e6), "168 Mpx/s");
}

TEST(ProgressWords, NobodyCanTellHowLongARunWaitsForSpace) {
  LiveState state;
  state.eta_s = 108;
  state.state = RunState::waiting_for_space;
  EXPECT_EQ(eta(state), "waiting for space");
}

TEST(ProgressWords, EtaSaysWhenItIsAGuess) {
  LiveState state;
  EXPECT_EQ(eta(state), "ETA unknown");
  state.eta_s = 108;
  state.pixels = 100;
  state.pixels_done = 4;
  EXPECT_EQ(eta(state), "ETA ~01:48");
  state.pixels_done = 5;
  EXPECT_EQ(eta(state), "ETA 01:48");
  state.eta_s = 1e300;
  EXPECT_FALSE(eta(state).empty()) << "a rate near zero must not overflow the clock";
}

}  // namespace
}  // namespace pantile::words
