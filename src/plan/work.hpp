#pragma once
// What is still to do, as the coordinator finds it in catalog and journal. Flat, since a run may have ten million
// items.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/ids.hpp"

namespace pantile {

/// Blocks [first, first + count) of one output of an item.
struct BlockRange {
  OutputId output{};
  BlockId first{};
  std::uint32_t count = 0;
  auto operator<=>(const BlockRange&) const = default;
};

/// One item that has blocks to make.
struct WorkItem {
  ItemId item{};
  std::uint64_t cost_px = 0;      ///< input pixels, the measure of work
  std::uint32_t first_range = 0;  ///< of those that Work::missing() gives
  std::uint16_t range_count = 0;
  std::uint16_t failed_attempts = 0;  ///< in earlier epochs
};
static_assert(sizeof(WorkItem) == 24);

/// Items with the blocks that are not committed yet.
class Work {
 public:
  /// Room for so many items: growing would need twice the memory for a while.
  void reserve(std::size_t items) { items_.reserve(items); }
  /// `missing`: the blocks to make, without overlap. A fresh item with one output of n blocks: {{output, BlockId{0},
  /// n}}. Precondition: missing holds at least one block, and `item` was not added before.
  void add(ItemId item, std::uint64_t cost_px, std::span<const BlockRange> missing, std::uint32_t failed_attempts = 0);

  [[nodiscard]] const std::vector<WorkItem>& items() const noexcept { return items_; }
  [[nodiscard]] std::span<const BlockRange> missing(const WorkItem& item) const;

  /// In the order of ItemId, as the ledger needs them to find an item.
  void sort();

 private:
  std::vector<WorkItem> items_;
  std::vector<BlockRange> ranges_;
  /// Where a lone range lies in ranges_: nearly all items miss "all blocks of the one output", and share it.
  std::map<BlockRange, std::uint32_t> lone_ranges_;
};

}  // namespace pantile
