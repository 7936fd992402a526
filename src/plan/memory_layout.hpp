#pragma once
// How a device's memory is shared out: finished blocks that wait to be written, shard buffers, decoded pixels, tiles.
//
//     cap = taken for good (program, libraries, weights) + room
//     room = arena + shard buffers + engine;  engine = decoded pixels + tiles of all lanes
//
// Where there is enough, each part is comfortable. Where there is not, blocks wait one at a time and images are decoded
// a few rows of tiles at a time, before tiles are made so small that they cost more.

#include <cstdint>
#include <string>
#include <variant>

#include "plan/tile_planner.hpp"

namespace pantile {

struct MemoryRequest {
  TileRequest tiles;             ///< its budget is what this is to find: not looked at
  std::uint64_t cap_bytes = 0;   ///< of the device
  std::uint64_t room_bytes = 0;  ///< of that, beside what is taken for good
};

struct MemoryLayout {
  TilePlan tiles;
  std::uint64_t arena_bytes = 0;       ///< at least the largest block
  std::uint64_t shard_bytes = 0;       ///< what writing to a shard takes
  std::uint64_t decoded_bytes = 0;     ///< of engine_bytes
  std::uint64_t engine_bytes = 0;      ///< decoded pixels and tiles, with what no plan needs
  std::uint64_t least_tile_bytes = 0;  ///< the smallest tile on one lane
  /// All of the room that is planned to be used, beside what is taken for good.
  [[nodiscard]] std::uint64_t predicted_bytes() const noexcept {
    return arena_bytes + shard_bytes + decoded_bytes + tiles.predicted_bytes;
  }
};

/// Nothing fits, even in the leanest layout.
struct LayoutDoesNotFit {
  std::uint64_t least_room_bytes = 0;  ///< the least room for which there is a layout; UINT64_MAX if none helps
  std::string why{};
};

using LayoutDecision = std::variant<MemoryLayout, LayoutDoesNotFit>;

/// Chooses the roomiest layout whose tiles cost at most a tenth more than those of the leanest. Pure. Preconditions as
/// of plan_tiles().
[[nodiscard]] LayoutDecision lay_out_memory(const MemoryRequest& request);

/// How much of an image to decode at once, of so many bytes for decoded pixels: two parts, one of which is computed
/// while the other is decoded, and the rows that both need.
[[nodiscard]] constexpr std::uint64_t decoded_part_bytes(std::uint64_t decoded_bytes) noexcept {
  return decoded_bytes / 5 * 2;
}

/// Block columns of an item's output whose pixels can be decoded together, a row of blocks high, as one part of
/// `decoded_bytes`: 0 if that is all of them. Asked for in such strips, each from top to bottom, the image is decoded
/// once for each strip and never more often. `pixel_bytes`: of a decoded pixel.
[[nodiscard]] std::uint32_t strip_columns(const TileGeometry& geometry, Border border, Extent item, int pixel_bytes,
                                          std::uint64_t decoded_bytes);

}  // namespace pantile
