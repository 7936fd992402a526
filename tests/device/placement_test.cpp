#include "device/placement.hpp"

#include <gtest/gtest.h>

#include <random>

namespace pantile {
namespace {

constexpr std::array<Extent, 5> extents{{{48, 48}, {64, 64}, {48, 96}, {80, 80}, {64, 128}}};

/// A chain of valid convolutions: each block is born before the one before it dies.
Trace chain(Extent input) {
  Trace trace{.input = input, .blocks = {}, .clock = 0};
  int shrink = 0;
  for (const std::uint64_t channels : {16, 32, 64, 128, 128, 256}) {
    shrink += 2;
    const auto bytes = channels * 4 * static_cast<std::uint64_t>((input.height - shrink) * (input.width - shrink));
    trace.blocks.push_back({.bytes = bytes, .born = trace.clock++, .died = TracedBlock::never});
    if (trace.blocks.size() > 1) {
      trace.blocks[trace.blocks.size() - 2].died = trace.clock++;
    }
  }
  return trace;
}

std::vector<Trace> traces_of(Trace (*model)(Extent)) {
  std::vector<Trace> traces;
  for (const Extent extent : extents) {
    traces.push_back(model(extent));
  }
  return traces;
}

TEST(AllocationPattern, TellsTheBlocksOfExtentsThatWereNeverRun) {
  const auto pattern = AllocationPattern::learn(traces_of(chain));
  ASSERT_TRUE(pattern.has_value());
  for (const Extent extent : {Extent{17, 900}, Extent{526, 526}, Extent{4096, 4096}}) {
    const Trace truth = chain(extent);
    const auto blocks = pattern->blocks(extent);
    ASSERT_EQ(blocks.size(), truth.blocks.size());
    for (std::size_t at = 0; at < blocks.size(); ++at) {
      EXPECT_EQ(blocks[at].bytes, truth.blocks[at].bytes) << to_string(extent) << " block " << at;
      EXPECT_EQ(blocks[at].died, truth.blocks[at].died);
    }
  }
}

TEST(AllocationPattern, IsNotLearntFromTooFewRuns) {
  auto traces = traces_of(chain);
  traces.pop_back();
  EXPECT_FALSE(AllocationPattern::learn(traces).has_value());
}

TEST(AllocationPattern, IsNotLearntWhereBlocksGrowInAnotherWay) {
  auto traces = traces_of(chain);
  traces.back().blocks[2].bytes += 4;
  EXPECT_FALSE(AllocationPattern::learn(traces).has_value());
}

TEST(AllocationPattern, IsNotLearntWhereTheOrderOfEventsChanges) {
  auto traces = traces_of(chain);
  std::swap(traces.back().blocks[1].died, traces.back().blocks[2].died);
  EXPECT_FALSE(AllocationPattern::learn(traces).has_value());
  traces = traces_of(chain);
  traces.back().blocks.pop_back();
  EXPECT_FALSE(AllocationPattern::learn(traces).has_value());
}

TEST(Placement, NeedsNoMoreThanWhatIsAliveAtOnceInAChain) {
  const Trace trace = chain({142, 142});
  const auto offsets = place(trace.blocks);
  std::uint64_t highest = 0;
  for (std::size_t at = 0; at < offsets.size(); ++at) {
    highest = std::max(highest, offsets[at] + trace.blocks[at].bytes);
  }
  EXPECT_EQ(highest, live_peak(trace.blocks));
}

TEST(Placement, NeverPutsTwoBlocksOfOneTimeInOnePlace) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    std::vector<TracedBlock> blocks(1 + random() % 40);
    for (std::uint32_t at = 0; at < blocks.size(); ++at) {
      const auto life = static_cast<std::uint32_t>(1 + random() % 30);
      blocks[at] = {.bytes = random() % 3 == 0 ? 0 : random() % 1000,
                    .born = at * 3,
                    .died = random() % 9 == 0 ? TracedBlock::never : at * 3 + life};
    }
    const auto offsets = place(blocks);
    std::uint64_t highest = 0;
    for (std::size_t a = 0; a < blocks.size(); ++a) {
      highest = std::max(highest, offsets[a] + blocks[a].bytes);
      for (std::size_t b = 0; b < a; ++b) {
        const bool both_live = blocks[a].born < blocks[b].died && blocks[b].born < blocks[a].died;
        const bool apart = offsets[a] + blocks[a].bytes <= offsets[b] || offsets[b] + blocks[b].bytes <= offsets[a];
        ASSERT_TRUE(!both_live || apart || blocks[a].bytes == 0 || blocks[b].bytes == 0) << a << " and " << b;
      }
    }
    EXPECT_GE(highest, live_peak(blocks));
  }
}

}  // namespace
}  // namespace pantile
