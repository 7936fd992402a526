#include "store/index_table.hpp"

#include <algorithm>

#include "image/block_grid.hpp"
#include "store/digest.hpp"

namespace pantile {

const char* name(ItemStatus status) noexcept {
  switch (status) {
    case ItemStatus::pending: return "pending";
    case ItemStatus::done: return "done";
    case ItemStatus::quarantined: return "quarantined";
  }
  return "unknown";
}

IndexTable::IndexTable(std::uint64_t items, std::size_t outputs)
    : items_{items}, outputs_{outputs}, rows_(items * outputs), blocks_there_(items * outputs) {}

const IndexRow& IndexTable::row(ItemId item, OutputId output) const {
  expect(index(item) < items_ && index(output) < outputs_, "the item and the output are of this run");
  return rows_[index(item) * outputs_ + index(output)];
}

std::size_t IndexTable::add(std::uint32_t shard, std::span<const StoredRow> rows) {
  std::size_t doubled = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const BlockRow& block = rows[i].row;
    expect(index(block.key.item) < items_ && index(block.key.output) < outputs_, "a row is of this run");
    const std::size_t at = index(block.key.item) * outputs_ + index(block.key.output);
    IndexRow& row = rows_[at];
    const std::uint32_t blocks = BlockGrid{block.item_extent}.size();
    const bool first = row.blocks == 0;
    if (first) {
      row.channels = static_cast<std::uint16_t>(block.channels);
      row.extent = block.item_extent;
      row.blocks = blocks;
    }
    if (row.extent != block.item_extent || row.channels != block.channels || (blocks == 1 && !first) ||
        (blocks > 1 && !keys_.insert(block.key).second)) {
      ++doubled;
      continue;
    }
    if (blocks == 1) {
      row.shard = shard;
      row.row = static_cast<std::uint32_t>(i);
      row.offset = rows[i].offset;
    } else {
      blocks_.push_back({block.key, shard, static_cast<std::uint32_t>(i), block.rect});
    }
    row.digest += block.digest;
    ++blocks_there_[at];
  }
  return doubled;
}

RunTotals IndexTable::finish(const JournalState& state) {
  std::sort(blocks_.begin(), blocks_.end());
  RunTotals totals{.items = items_};
  for (std::uint64_t item = 0; item < items_; ++item) {
    const std::size_t begin = item * outputs_;
    bool done = outputs_ > 0;
    for (std::size_t at = begin; at < begin + outputs_; ++at) {
      done = done && rows_[at].blocks > 0 && blocks_there_[at] == rows_[at].blocks;
    }
    ItemStatus status = done ? ItemStatus::done : ItemStatus::pending;
    Fault fault = Fault::none;
    if (const auto given_up = state.quarantine().find(ItemId{item}); !done && given_up != state.quarantine().end()) {
      status = ItemStatus::quarantined;
      fault = given_up->second.failure.fault;
      totals.digest += quarantine_digest(ItemId{item}, fault);
    }
    totals.done += status == ItemStatus::done ? 1 : 0;
    totals.quarantined += status == ItemStatus::quarantined ? 1 : 0;
    for (std::size_t at = begin; at < begin + outputs_; ++at) {
      rows_[at].status = status;
      rows_[at].fault = fault;
      if (done) {
        totals.digest += rows_[at].digest;
      }
    }
  }
  return totals;
}

}  // namespace pantile
