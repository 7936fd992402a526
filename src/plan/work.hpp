#pragma once
// What is still to do, as the coordinator finds it in catalog and journal. Flat, since a run may have ten million
// items.

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"

namespace pantile {

/// Blocks [first, first + count) of one output of an item.
struct BlockRange {
  OutputId output{};
  BlockId first{};
  std::uint32_t count = 0;
  bool operator==(const BlockRange&) const = default;
};

/// One item that has blocks to make.
struct WorkItem {
  ItemId item{};
  std::uint64_t cost_px = 0;          ///< input pixels, the measure of work
  std::uint32_t failed_attempts = 0;  ///< in earlier epochs
  std::uint32_t range_count = 0;
  std::uint64_t first_range = 0;  ///< its ranges are Work::ranges()[first_range, first_range + range_count)
};

/// Items with the blocks that are not committed yet.
class Work {
 public:
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
};

}  // namespace pantile
