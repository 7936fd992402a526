#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "plan/work.hpp"

namespace pantile {

/// Who may commit which block. First commit wins: the first shard that asks is promised it, and nobody else gets it
/// unless the promise falls.
///
/// A block is loose, promised to one shard, or committed. A shard is promised (it may still be withdrawn), then
/// committing (its journal record is being written, there is no way back), then committed. It is never asked for again.
enum class ShardStanding : std::uint8_t { unknown, promised, committing, committed, withdrawn };

class CommitLedger {
 public:
  using ItemIndex = std::uint32_t;  ///< position of an item in ItemId order among the items to do

  explicit CommitLedger(Work work);

  [[nodiscard]] std::size_t size() const noexcept { return work_.items().size(); }
  [[nodiscard]] const WorkItem& item(ItemIndex at) const { return work_.items()[at]; }
  [[nodiscard]] std::optional<ItemIndex> find(ItemId item) const;

  /// Blocks of an item that nobody has been promised, and that somebody has.
  [[nodiscard]] std::uint32_t loose(ItemIndex at) const { return counts_[at].loose; }
  [[nodiscard]] std::uint32_t promised(ItemIndex at) const { return counts_[at].promised; }
  [[nodiscard]] std::vector<BlockRange> loose_blocks(ItemIndex at) const;
  [[nodiscard]] std::uint64_t blocks_committed() const noexcept { return blocks_committed_; }

  /// The item is in quarantine: no further block of it is promised.
  void close(ItemIndex at) { counts_[at].closed = 1; }

  /// Promises the shard those rows that are loose; one bit for each row. Nothing for a shard that has asked before.
  [[nodiscard]] std::optional<std::vector<bool>> promise(RankId rank, ShardId shard, std::span<const BlockKey> rows,
                                                         double now_s);
  [[nodiscard]] ShardStanding standing(RankId rank, ShardId shard) const;
  /// Promised → committing. Precondition: promised.
  void begin_commit(RankId rank, ShardId shard);
  /// Promised or committing → committed. Returns the items whose blocks changed; none from any other standing.
  [[nodiscard]] std::vector<ItemIndex> commit(RankId rank, ShardId shard);
  /// Promised → withdrawn, its blocks are loose again. Returns as commit().
  [[nodiscard]] std::vector<ItemIndex> withdraw(RankId rank, ShardId shard);

  struct ShardKey {
    RankId rank{};
    ShardId shard{};
    bool operator==(const ShardKey&) const = default;
  };
  /// Promised shards, not those that are committing: of one rank, and those that asked before a time.
  [[nodiscard]] std::vector<ShardKey> promised_to(RankId rank) const;
  [[nodiscard]] std::vector<ShardKey> promised_before(double time_s) const;
  /// Shards that are promised or committing.
  [[nodiscard]] std::size_t unsettled_shards() const noexcept { return unsettled_.size(); }

  /// For tests: recounts all that is kept by increments.
  void check_invariants() const;

 private:
  using Holder = std::uint32_t;  ///< of a block: loose_, committed_, or first_shard_ + serial
  static constexpr Holder loose_ = 0;
  static constexpr Holder committed_ = 1;
  static constexpr Holder first_shard_ = 2;

  struct Counts {
    std::uint32_t first_block = 0;  ///< of the item in holders_
    std::uint32_t loose = 0;
    std::uint32_t promised : 31 = 0;
    std::uint32_t closed : 1 = 0;
  };
  static_assert(sizeof(Counts) == 12);
  struct Held {
    ItemIndex item = 0;
    std::uint32_t block = 0;  ///< in holders_
  };
  struct Shard {
    ShardKey key;
    ShardStanding standing = ShardStanding::promised;
    double asked_s = 0;
    std::vector<Held> blocks{};  ///< released when the shard is settled
  };
  struct HashKey {
    std::size_t operator()(const ShardKey& key) const noexcept {
      return std::hash<std::uint64_t>{}(static_cast<std::uint64_t>(index(key.rank)) << 32U | index(key.shard));
    }
  };

  [[nodiscard]] std::optional<Held> locate(const BlockKey& key) const;
  [[nodiscard]] Shard& known(RankId rank, ShardId shard);
  std::vector<ItemIndex> settle(Shard& shard, ShardStanding standing);

  Work work_;
  std::vector<Counts> counts_;
  std::vector<Holder> holders_;
  std::vector<Shard> shards_;  ///< by serial
  std::unordered_map<ShardKey, std::uint32_t, HashKey> serials_;
  std::vector<std::uint32_t> unsettled_;  ///< serials; a few per rank
  std::uint64_t blocks_committed_ = 0;
};

}  // namespace pantile
