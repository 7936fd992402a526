#include "run/prediction_check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

/// 1000 bytes a pixel.
Calibration thousand_a_pixel() {
  return {.key = {},
          .weights_bytes = 0,
          .probes = {{{48, 48}, 2'304'000}, {{48, 192}, 9'216'000}},
          .footprint = Footprint{AllocationPattern{
              1, {{.growth = {.factors = {0, 1000, 0, 0, 0}, .with_batch = 2}, .born = 0, .died = 1}}}}};
}

TEST(PredictionCheck, ChoosesSquaresAndStripsOfAllBatchesOverTheWholeRange) {
  const auto inputs =
      held_back_inputs(thousand_a_pixel(),
                       {.count = 40, .unit_px = 1, .most_batch = 4, .least_bytes = 16 * MiB, .most_bytes = 256 * MiB});
  EXPECT_GE(inputs.size(), 38U);
  std::set<int> batches;
  bool has_square = false;
  bool has_strip = false;
  bool has_odd = false;
  for (const HeldBack& one : inputs) {
    batches.insert(one.batch);
    has_square |= one.input.height == one.input.width;
    has_strip |= std::max(one.input.height, one.input.width) >= 8 * std::min(one.input.height, one.input.width);
    has_odd |= one.input.height % 2 != 0;
    EXPECT_GE(one.input.height, 48);
    EXPECT_GE(one.input.width, 48);
    EXPECT_GE(one.predicted_bytes, 16 * MiB) << to_string(one.input);
    EXPECT_LE(one.predicted_bytes, 256 * MiB) << to_string(one.input);
  }
  EXPECT_EQ(batches, (std::set{1, 2, 3, 4}));
  EXPECT_TRUE(has_square && has_strip && has_odd);
  EXPECT_GE(inputs.back().predicted_bytes, 250 * MiB);
}

TEST(PredictionCheck, KeepsToTheUnitAndLeavesOutWhatWasProbed) {
  Calibration calibration = thousand_a_pixel();
  const HeldBackOptions options{
      .count = 12, .unit_px = 32, .most_batch = 1, .least_bytes = 4 * MiB, .most_bytes = 64 * MiB};
  const auto before = held_back_inputs(calibration, options);
  for (const HeldBack& one : before) {
    EXPECT_EQ(one.input.height % 32, 0);
    EXPECT_EQ(one.input.width % 32, 0);
  }
  calibration.probes.push_back({before[3].input, 1, 1});
  const auto after = held_back_inputs(calibration, options);
  EXPECT_EQ(after.size(), before.size() - 1);
}

TEST(PredictionCheck, CountsErrorsByWhatWasMeasured) {
  std::vector<HeldBack> measured;
  for (int i = 1; i <= 20; ++i) {
    measured.push_back({.input = {64, 64},
                        .batch = 1,
                        .predicted_bytes = static_cast<std::uint64_t>(i % 2 == 0 ? 1000 + i : 1000 - i),
                        .measured_bytes = 1000});
  }
  const PredictionErrors errors = errors_of(measured);
  EXPECT_DOUBLE_EQ(errors.p95, 0.019);
  EXPECT_DOUBLE_EQ(errors.most, 0.020);
}

}  // namespace
}  // namespace pantile
