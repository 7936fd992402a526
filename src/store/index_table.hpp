#pragma once
// Where each item's pixels are: joined from the rows of all shards. Pure.

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/extent.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/records.hpp"
#include "base/result.hpp"
#include "store/journal_state.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

/// The numbers are on disk, in /items/status.
enum class ItemStatus : std::uint8_t { pending = 0, done = 1, quarantined = 2 };
[[nodiscard]] const char* name(ItemStatus status) noexcept;

/// No shard, or several.
inline constexpr std::uint32_t no_shard = ~std::uint32_t{0};

/// One output of one item.
struct IndexRow {
  ItemStatus status = ItemStatus::pending;  ///< of the item as a whole
  Fault fault = Fault::none;                ///< of an item in quarantine
  std::uint16_t channels = 0;
  Extent extent;                     ///< of the item's output; empty while no block of it is there
  std::uint32_t blocks = 0;          ///< blocks that the extent has
  std::uint32_t shard = no_shard;    ///< position in /shards, if the item has one block
  std::uint32_t row = 0;             ///< in that shard's /index
  std::uint64_t offset = in_blocks;  ///< in that shard's /out/NAME/bytes
  Hash128 digest;                    ///< sum over its blocks that are there
  bool operator==(const IndexRow&) const = default;
};

/// One block of an item that has several.
struct IndexBlock {
  BlockKey key;
  std::uint32_t shard = 0;
  std::uint32_t row = 0;
  Rect rect;
  auto operator<=>(const IndexBlock& other) const { return key <=> other.key; }
  bool operator==(const IndexBlock&) const = default;
};

/// What the run comes to.
struct RunTotals {
  Hash128 digest{};  ///< sum over done items, plus quarantine_digest() of those in quarantine
  std::uint64_t items = 0;
  std::uint64_t done = 0;
  std::uint64_t quarantined = 0;
  bool operator==(const RunTotals&) const = default;
};

/// Filled shard by shard, then finished once. Rows are in the order item, output: row = item × outputs + output.
class IndexTable {
 public:
  IndexTable(std::uint64_t items, std::size_t outputs);

  /// Precondition: the rows name items and outputs of the run. Rows that are there already, or contradict what is there
  /// (another extent), are left out; returns how many.
  std::size_t add(std::uint32_t shard, std::span<const StoredRow> rows);
  /// Settles each item's status: done if all blocks of all outputs are there, else quarantined if `state` says so.
  RunTotals finish(const JournalState& state);

  [[nodiscard]] std::uint64_t items() const noexcept { return items_; }
  [[nodiscard]] std::size_t outputs() const noexcept { return outputs_; }
  [[nodiscard]] const std::vector<IndexRow>& rows() const noexcept { return rows_; }
  [[nodiscard]] const IndexRow& row(ItemId item, OutputId output) const;
  /// Sorted by item, output, block after finish().
  [[nodiscard]] const std::vector<IndexBlock>& blocks() const noexcept { return blocks_; }

 private:
  std::uint64_t items_;
  std::size_t outputs_;
  std::vector<IndexRow> rows_;
  std::vector<std::uint32_t> blocks_there_;  // as rows_
  std::vector<IndexBlock> blocks_;
  std::set<BlockKey> keys_;  // of blocks_
};

}  // namespace pantile
