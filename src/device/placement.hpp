#pragma once
// Where in a lane's slab the blocks of a run should lie. Pure.
//
// First fit alone wastes up to 45 % (measured: upconv7), since a block that grows from layer to layer never fits into
// the gap of the one before. Where all sizes and lifetimes are known beforehand (allocation_pattern.hpp), placing the
// largest block first, at the lowest address that is free while it lives, needs no more than what is alive at once (six
// of six models).

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "device/allocation_pattern.hpp"

namespace pantile {

/// What stands in front of each block of the engine, and behind it: MLAS reads whole vectors, so up to 63 bytes past
/// the end.
inline constexpr std::size_t block_alignment = 64;
inline constexpr std::size_t block_header = block_alignment;
inline constexpr std::size_t block_padding = 64;
/// Blocks from here on live in the lane's slab; smaller ones come from malloc.
inline constexpr std::size_t big_block_bytes = std::size_t{64} << 10U;

/// What a block of so many bytes takes of the slab (whole pages with its header), 0 if it does not live there.
[[nodiscard]] std::size_t slab_bytes_of(std::size_t payload_bytes) noexcept;
/// What it takes of the heap, 0 if it lives in the slab.
[[nodiscard]] std::size_t heap_bytes_of(std::size_t payload_bytes) noexcept;

/// An offset for each block such that no two that live at the same time overlap; blocks of 0 bytes are left out.
[[nodiscard]] std::vector<std::uint64_t> place(std::span<const TracedBlock> blocks);

/// The most that is alive at once. Precondition: the blocks are in the order of their births.
[[nodiscard]] std::uint64_t live_peak(std::span<const TracedBlock> blocks);

/// Where a block of the coming run should lie.
struct PlannedBlock {
  std::uint64_t payload_bytes = 0;
  std::uint64_t offset = 0;  ///< of the slab; of no meaning for small blocks
};
/// A run, before it is one.
struct RunPlan {
  std::vector<PlannedBlock> blocks;  ///< in the order of their births
  std::uint64_t peak_bytes = 0;      ///< of slab and heap together
};
/// `blocks` with the bytes that the engine asks for.
[[nodiscard]] RunPlan plan_run(std::span<const TracedBlock> blocks);

}  // namespace pantile
