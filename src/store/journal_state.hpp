#pragma once
// What a journal says, all records taken together. Pure: no file, clock or thread; the same records give the same
// state.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "store/journal.hpp"

namespace pantile {

struct CommittedShard {
  std::string name{};
  std::uint64_t bytes = 0;
  Hash128 hash{};
  Hash128 content_sum{};
  std::uint64_t rows = 0;
  Bytes ranges{};  ///< encode_ranges(): about 4 bytes a row
};

struct QuarantinedItem {
  Failure failure{};
  std::uint32_t attempts = 0;
};

/// Invariant: each item of the catalog is in exactly one of done, quarantined and pending.
/// Memory: a bit per item and output, and the encoded ranges of the shards.
class JournalState {
 public:
  /// Takes in one record. Throws Error, and changes nothing, if it contradicts what is known: a block committed twice,
  /// an item outside the catalog, a shard retired that is not there, a record of another epoch (a start may pass
  /// some over), a second catalog or other outputs.
  void apply(Epoch epoch, const JournalRecord& record);

  [[nodiscard]] Epoch epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint64_t items() const noexcept { return items_; }
  [[nodiscard]] const std::vector<OutputInfo>& outputs() const noexcept { return outputs_; }
  /// The last RunStart's, if there was one.
  [[nodiscard]] const std::string& plan() const noexcept { return plan_; }

  [[nodiscard]] bool committed(const BlockKey& key) const;
  /// Some blocks of the item are committed, and others are not.
  [[nodiscard]] bool begun(ItemId item) const;
  /// All blocks of this output of the item are committed.
  [[nodiscard]] bool done(ItemId item, OutputId output) const;
  /// All blocks of all outputs are committed (then it is not in quarantine, whatever happened before).
  [[nodiscard]] bool done(ItemId item) const;
  [[nodiscard]] bool quarantined(ItemId item) const { return quarantine_.contains(item); }
  /// Neither done nor quarantined.
  [[nodiscard]] bool pending(ItemId item) const { return !done(item) && !quarantined(item); }
  /// Whether a finished block still has a place: not committed, and its item not in quarantine.
  [[nodiscard]] bool wanted(const BlockKey& key) const { return !quarantined(key.item) && !committed(key); }

  [[nodiscard]] std::uint64_t done_items() const noexcept { return done_items_; }
  [[nodiscard]] std::uint64_t pending_items() const noexcept { return items_ - done_items_ - quarantine_.size(); }
  [[nodiscard]] const std::map<ItemId, QuarantinedItem>& quarantine() const noexcept { return quarantine_; }
  /// Highest failed attempt of an item that is not settled; 0 if it never failed.
  [[nodiscard]] std::uint32_t failed_attempts(ItemId item) const;

  /// Committed and not retired, in the order of their commits.
  [[nodiscard]] const std::vector<CommittedShard>& shards() const noexcept { return shards_; }
  [[nodiscard]] const CommittedShard* find_shard(std::string_view name) const;
  /// It was committed once, and found damaged: it never counts again.
  [[nodiscard]] bool retired(std::string_view name) const { return retired_.contains(std::string{name}); }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  /// Sum of the digests of all committed rows. It is the run digest if no item is quarantined.
  [[nodiscard]] const Hash128& content_sum() const noexcept { return content_sum_; }
  /// The last RunEnd's, unless something was committed, retired or released after it.
  [[nodiscard]] const std::optional<RunEnd>& end() const noexcept { return end_; }
  /// All was done once, and whatever is pending since was lost: nothing was added, and nothing let out of quarantine.
  [[nodiscard]] bool ended_once() const noexcept { return ended_once_; }
  /// How many starts in a row, the last included, have left nothing: no shard, no item in quarantine.
  [[nodiscard]] std::uint32_t starts_in_vain() const noexcept { return starts_in_vain_; }
  /// The last RunStart's text of run.yaml; empty if there was none.
  [[nodiscard]] const std::string& identity() const noexcept { return identity_; }
  /// Where relative paths of plan() count from.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  /// Of the catalog, as the last start left it.
  [[nodiscard]] const Hash128& catalog_digest() const noexcept { return catalog_digest_; }
  /// Of the file that it is in.
  [[nodiscard]] const FileHash& catalog_file() const noexcept { return catalog_file_; }
  /// What the next epoch begins with if it goes on as the last one did.
  [[nodiscard]] RunStart next_start(std::string time) const;

 private:
  struct Blocks {
    std::vector<bool> committed{};
    std::uint32_t count = 0;
  };
  void on(const RunStart& start);
  void on(const ShardCommit& commit);
  void on(const ShardAdopted& adopted);
  void take(const ShardCommit& commit);
  void on(const AttemptFailed& failed);
  void on(const ItemQuarantined& quarantine);
  void on(const ShardRetired& retired);
  void on(const RunEnd& end);
  void on(const Release& release);
  void check(ItemId item) const;
  void check(const RowRange& range, std::string_view shard) const;
  void expect_room(const ShardCommit& commit) const;
  void mark(const RowRange& range);
  void unmark(const RowRange& range);
  void mark_done(ItemId item, OutputId output);
  void unmark_done(ItemId item, OutputId output);

  Epoch epoch_{};
  std::uint64_t items_ = 0;
  std::vector<OutputInfo> outputs_;
  std::string plan_;
  std::vector<std::vector<bool>> done_;                    // by output, then item
  std::map<std::pair<OutputId, ItemId>, Blocks> partial_;  // items of several blocks that are begun, not done
  std::uint64_t begun_blocks_ = 0;                         // of partial_
  std::map<ItemId, QuarantinedItem> quarantine_;
  std::unordered_map<ItemId, std::uint32_t> failed_attempts_;
  std::vector<CommittedShard> shards_;
  std::unordered_map<std::string, std::size_t> shard_at_;  // position in shards_, by name
  std::set<std::string> retired_;
  std::uint64_t rows_ = 0;
  std::uint64_t done_items_ = 0;
  Hash128 content_sum_;
  std::optional<RunEnd> end_;
  bool ended_once_ = false;
  std::uint32_t starts_in_vain_ = 0;
  std::string identity_;
  std::string folder_;
  Hash128 catalog_digest_;
  FileHash catalog_file_;
};

/// The state of a journal on disk, read only.
[[nodiscard]] JournalState read_journal(const std::filesystem::path& path, Disk& disk = real_disk());

}  // namespace pantile
