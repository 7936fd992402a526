#pragma once
// Which blocks a shard holds, in few bytes: rows sorted by output, item and block, neighbours merged.

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/records.hpp"
#include "base/wire.hpp"

namespace pantile {

/// Either `items` items in a row, each the only block of its output (of_blocks == 1), or blocks [block, block + blocks)
/// of the `of_blocks` blocks of one item (items == 1).
struct RowRange {
  OutputId output{};
  ItemId item{};
  std::uint64_t items = 1;
  BlockId block{};
  std::uint32_t blocks = 1;
  std::uint32_t of_blocks = 1;
  [[nodiscard]] std::uint64_t rows() const noexcept { return items * blocks; }
  bool operator==(const RowRange&) const = default;
};

/// Sorted and merged. The number of an item's blocks follows from its extent. Doubled rows stay doubled ranges.
[[nodiscard]] std::vector<RowRange> to_ranges(std::span<const BlockRow> rows);

/// About 4 bytes per lone item. Precondition: as to_ranges() makes them.
[[nodiscard]] Bytes encode_ranges(std::span<const RowRange> ranges);
/// Throws WireError unless `bytes` are what encode_ranges() makes.
[[nodiscard]] std::vector<RowRange> decode_ranges(std::span<const std::byte> bytes);

}  // namespace pantile
