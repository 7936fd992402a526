#pragma once
// What a run of one model allocates, learnt from a few small runs and told for any other. Pure.
//
// With one thread a session allocates the same sequence of blocks for every input, and each block's size is a
// polynomial of batch, height and width. A few small probes tell the polynomials, to the byte; the sequence then tells
// what is alive at once in a run that never was. No formula for the peak does that: where two regimes meet (attention,
// whose scores grow with the square of the area) small probes see only one of them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/extent.hpp"

namespace pantile {

/// A block of one run. Times count the allocations and frees of that run.
struct TracedBlock {
  static constexpr std::uint32_t never = UINT32_MAX;
  std::uint64_t bytes = 0;  ///< as the engine asked for them
  std::uint32_t born = 0;
  std::uint32_t died = never;  ///< the output dies after the run
  bool operator==(const TracedBlock&) const = default;
};

/// What a run allocated, block by block in the order of their births.
struct Trace {
  Extent input;
  int batch = 1;
  std::vector<TracedBlock> blocks;
  std::uint32_t clock = 0;
};

/// The blocks of any run of one model. A plain value: equal, copied, written and read as its fields are.
class AllocationPattern {
 public:
  /// Nothing if the traces of batch 1 are fewer than five, or no such pattern explains all traces to the byte.
  /// Without traces of a larger batch, all blocks are taken to grow with it.
  [[nodiscard]] static std::optional<AllocationPattern> learn(std::span<const Trace> traces);

  [[nodiscard]] std::vector<TracedBlock> blocks(Extent input, int batch = 1) const;

  /// a + b·h·w + c·h + d·w + e·(h·w)², of which some terms are multiplied by the batch. Height and width are counted in
  /// units, so that the factors of exact models are whole numbers.
  struct Growth {
    static constexpr std::size_t terms = 5;
    std::array<double, terms> factors{};
    std::uint32_t with_batch = 0;  ///< bit k: term k is multiplied by the batch
    bool operator==(const Growth&) const = default;
  };
  /// One block: how large, and for how long.
  struct Block {
    Growth growth;
    std::uint32_t born = 0;
    std::uint32_t died = TracedBlock::never;
    bool operator==(const Block&) const = default;
  };
  /// For who writes it down and reads it back.
  AllocationPattern(int unit_px, std::vector<Block> blocks) noexcept : unit_px_{unit_px}, blocks_{std::move(blocks)} {}
  AllocationPattern() = default;
  [[nodiscard]] int unit_px() const noexcept { return unit_px_; }
  [[nodiscard]] const std::vector<Block>& pattern() const noexcept { return blocks_; }

  bool operator==(const AllocationPattern&) const = default;

 private:
  template <class Archive>
  friend void fields(Archive& archive, AllocationPattern& pattern) {
    archive(pattern.unit_px_, pattern.blocks_);
  }

  std::int32_t unit_px_ = 1;
  std::vector<Block> blocks_;
};

template <class Archive>
void fields(Archive& archive, AllocationPattern::Growth& growth) {
  for (double& factor : growth.factors) {
    archive(factor);
  }
  archive(growth.with_batch);
}
template <class Archive>
void fields(Archive& archive, AllocationPattern::Block& block) {
  archive(block.growth, block.born, block.died);
}

}  // namespace pantile
