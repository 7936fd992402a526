#include "device/allocation_pattern.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "base/fields.hpp"
#include "device/placement.hpp"

namespace pantile {
namespace {

using Model = std::function<Trace(Extent, int)>;

constexpr std::array<Extent, 6> singles{{{48, 48}, {64, 64}, {48, 96}, {80, 80}, {64, 128}, {48, 192}}};

/// Blocks of these bytes, each born before the one before it dies.
Trace chain(Extent input, int batch, const std::vector<std::uint64_t>& bytes) {
  Trace trace{.input = input, .batch = batch, .blocks = {}, .clock = 0};
  for (const std::uint64_t one : bytes) {
    trace.blocks.push_back({.bytes = one, .born = trace.clock++, .died = TracedBlock::never});
    if (trace.blocks.size() > 1) {
      trace.blocks[trace.blocks.size() - 2].died = trace.clock++;
    }
  }
  return trace;
}

/// Valid convolutions: each layer loses a frame.
Trace convolutions(Extent input, int batch) {
  std::vector<std::uint64_t> bytes;
  int shrink = 0;
  for (const std::uint64_t channels : {16, 32, 64, 128, 128, 256}) {
    shrink += 2;
    bytes.push_back(channels * 4 *
                    static_cast<std::uint64_t>((input.height - shrink) * (input.width - shrink) * batch));
  }
  return chain(input, batch, bytes);
}

/// Patches of 16 px, whose scores grow with the square of their number: 4/16⁴ bytes for each pair of pixels.
Trace attention(Extent input, int batch) {
  const auto tokens = static_cast<std::uint64_t>(input.height / 16 * (input.width / 16));
  const auto images = static_cast<std::uint64_t>(batch);
  return chain(input, batch, {images * tokens * 1024, images * tokens * tokens * 4, images * tokens * 1024});
}

/// A scratch buffer that one image after another uses, and one of a fixed size.
Trace scratch(Extent input, int batch) {
  const auto px = static_cast<std::uint64_t>(input.area());
  return chain(input, batch, {px * 64 * static_cast<std::uint64_t>(batch), px * 36, 4096});
}

std::vector<Trace> traces_of(const Model& model, bool with_batches) {
  std::vector<Trace> traces;
  for (const Extent extent : singles) {
    traces.push_back(model(extent, 1));
  }
  if (with_batches) {
    traces.push_back(model({48, 48}, 2));
    traces.push_back(model({48, 64}, 2));
    traces.push_back(model({48, 48}, 3));
  }
  return traces;
}

TEST(AllocationPattern, TellsTheBlocksOfRunsThatNeverWere) {
  for (const Model& model : {Model{convolutions}, Model{attention}, Model{scratch}}) {
    const auto pattern = AllocationPattern::learn(traces_of(model, true));
    ASSERT_TRUE(pattern.has_value());
    for (const Extent extent : {Extent{32, 912}, Extent{528, 528}, Extent{4096, 4096}, Extent{16, 16}}) {
      for (const int batch : {1, 2, 4, 7}) {
        EXPECT_EQ(pattern->blocks(extent, batch), model(extent, batch).blocks) << to_string(extent) << " × " << batch;
      }
    }
  }
}

TEST(AllocationPattern, TellsSidesThatAreNoMultiplesOfTheProbed) {
  const auto pattern = AllocationPattern::learn(traces_of(convolutions, false));
  ASSERT_TRUE(pattern.has_value());
  for (const Extent extent : {Extent{137, 211}, Extent{901, 67}}) {
    EXPECT_EQ(pattern->blocks(extent), convolutions(extent, 1).blocks) << to_string(extent);
  }
}

TEST(AllocationPattern, TakesAllBlocksToGrowWithABatchThatWasNotProbed) {
  const auto pattern = AllocationPattern::learn(traces_of(scratch, false));
  ASSERT_TRUE(pattern.has_value());
  EXPECT_EQ(pattern->blocks({64, 80})[1].bytes, 36U * 64 * 80);
  EXPECT_EQ(pattern->blocks({64, 80}, 4)[1].bytes, 4U * 36 * 64 * 80);
}

TEST(AllocationPattern, IsNotLearntWhereABatchGrowsInAnotherWay) {
  auto traces = traces_of(convolutions, true);
  traces.back().blocks[1].bytes += 64;
  EXPECT_FALSE(AllocationPattern::learn(traces).has_value());
}

TEST(AllocationPattern, IsWrittenAndReadBack) {
  const auto pattern = AllocationPattern::learn(traces_of(attention, true));
  ASSERT_TRUE(pattern.has_value());
  EXPECT_EQ(decode<AllocationPattern>(encode(*pattern)), *pattern);
  EXPECT_EQ(AllocationPattern(pattern->unit_px(), pattern->pattern()), *pattern);
}

/// Small images show nothing of it: a formula that was fitted to them would be wrong by half and more.
TEST(AllocationPattern, SeesThePeakMoveToTheScoresOfAttention) {
  const auto pattern = AllocationPattern::learn(traces_of(attention, false));
  ASSERT_TRUE(pattern.has_value());
  const auto peak = [&](Extent input) { return static_cast<double>(plan_run(pattern->blocks(input)).peak_bytes); };
  EXPECT_GT(peak({2048, 2048}) / peak({1024, 1024}), 15);
  EXPECT_LT(peak({256, 256}) / peak({128, 128}), 7);
}

}  // namespace
}  // namespace pantile
