#pragma once
// Where in a lane's slab the blocks of a run should lie. Pure.
//
// First fit alone wastes up to 45 % (measured: upconv7), since a block that grows from layer to layer never fits into
// the gap of the one before. But a run allocates the same sequence for every extent, and each block's size is a
// polynomial of the extent: a few small probes tell all sizes and lifetimes of any later run. Placing the largest block
// first, at the lowest address that is free while it lives, then needs no more than what is alive at once (six of six
// models).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/extent.hpp"

namespace pantile::detail {

/// A block of one run. Times count the allocations and frees of that run.
struct TracedBlock {
  static constexpr std::uint32_t never = UINT32_MAX;
  std::uint64_t bytes = 0;
  std::uint32_t born = 0;
  std::uint32_t died = never;  ///< the output dies after the run
};

/// What a run allocated, block by block in the order of their births.
struct Trace {
  Extent input;
  std::vector<TracedBlock> blocks;
  std::uint32_t clock = 0;
};

/// The blocks of any run of one model: sizes a + b·h·w + c·h + d·w.
class AllocationPattern {
 public:
  /// Nothing if the traces are fewer than five, or no such pattern explains them to the byte.
  static std::optional<AllocationPattern> learn(std::span<const Trace> traces);

  [[nodiscard]] std::vector<TracedBlock> blocks(Extent input) const;

 private:
  struct Growth {
    double constant = 0;
    double per_px = 0;
    double per_row = 0;
    double per_column = 0;
    [[nodiscard]] std::uint64_t bytes(Extent input) const;
  };
  static std::optional<Growth> fit(std::span<const Trace> traces, std::size_t block);

  std::vector<Growth> growth_;
  std::vector<TracedBlock> lifetimes_;
};

/// An offset for each block such that no two that live at the same time overlap; blocks of 0 bytes are left out.
[[nodiscard]] std::vector<std::uint64_t> place(std::span<const TracedBlock> blocks);

/// The most that is alive at once.
[[nodiscard]] std::uint64_t live_peak(std::span<const TracedBlock> blocks);

}  // namespace pantile::detail
