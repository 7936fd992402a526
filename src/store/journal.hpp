#pragma once
// The only truth about what is committed: an append-only file that rank 0 alone writes.
//
//     file   = "PANTILE-JOURNAL\n" | u32 version | u32 0 | u64 xxh3_64 of those 24 bytes | record…
//     record = u32 magic | u32 type | u32 payload bytes | u32 epoch | u64 sequence | payload | u64 sum
//     sum    = xxh3_64(sum before | this record up to its sum); the sum before the first is the header's
// The sums are chained, so that a record counts only behind all of its predecessors. Reading stops at the first bad
// one.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/disk.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "store/file_hash.hpp"
#include "store/format.hpp"
#include "store/row_ranges.hpp"

namespace pantile {

struct SealedShard;

/// A run starts or resumes: the epoch grows by one.
struct RunStart {
  std::string time{};       ///< for people: "2026-01-31T12:00:00Z"
  std::uint64_t items = 0;  ///< in the catalog
  std::vector<OutputInfo> outputs{};
  std::string plan{};        ///< the effective config, text: what a repair goes on with
  std::string folder{};      ///< where its relative paths count from
  std::string identity{};    ///< run.yaml, all of it: so it can be told from a damaged one, and restored
  Hash128 catalog_digest{};  ///< of the catalog that holds from here on
  FileHash catalog{};        ///< of the file that it is in
  bool repairs = false;      ///< a run that had ended: what is pending now was done once, whatever the journal has lost
};
/// The commit point of all rows of a shard. The file is already on disk under this name, with this size and hash.
struct ShardCommit {
  std::string shard{};
  std::uint64_t bytes = 0;
  Hash128 hash{};
  Hash128 content_sum{};
  std::vector<RowRange> ranges{};
};
/// An attempt at an item failed; it will be tried again.
struct AttemptFailed {
  ItemId item{};
  std::uint32_t attempt = 1;
  Failure failure{};
};
/// An item is given up.
struct ItemQuarantined {
  ItemId item{};
  std::uint32_t attempts = 1;
  Failure failure{};
};
/// An item leaves the quarantine, to be tried again (--retry-failed).
struct Release {
  ItemId item{};
};
/// A shard is lost or damaged: its rows are to be made again.
struct ShardRetired {
  std::string shard{};
};
/// The commit point of a shard of an earlier epoch, whose record was lost or never written: its own content has proved
/// it (adopt.hpp).
struct ShardAdopted {
  ShardCommit commit{};
};
/// Nothing is pending, and the index is written.
struct RunEnd {
  Hash128 digest{};
  FileHash index{};  ///< of index.h5
};
/// The position in this list + 1 is the record's type on disk: add at the end only.
using JournalRecord =
    std::variant<RunStart, ShardCommit, AttemptFailed, ItemQuarantined, ShardRetired, RunEnd, Release, ShardAdopted>;

[[nodiscard]] ShardCommit to_commit(const SealedShard& shard);

class JournalState;

/// What reading a journal found.
struct JournalReplay {
  std::uint64_t records = 0;
  std::uint64_t valid_bytes = 0;  ///< up to the first bad record
  std::uint64_t file_bytes = 0;   ///< more than valid_bytes: a torn tail, or damage
  std::uint64_t chain = 0;        ///< the last sum
  Epoch epoch{};                  ///< of the last RunStart; 0 if there is none
  bool header_damaged = false;    ///< but the first record is chained to the header that it should be
};

/// Hands each record to `visit`, in order, up to the first bad one. Reads only. An absent or empty file, or one that
/// ends within its header, has no records. Throws ForeignFormat if its version is newer or a record makes no sense to
/// us, Error if it is not a journal, or has a damaged header and no sound record behind it.
JournalReplay replay_journal(const std::filesystem::path& path,
                             const std::function<void(Epoch, const JournalRecord&)>& visit, Disk& disk = real_disk());

/// Writes a journal. One owner (who holds the run's lock), one thread. It has the disk set room aside for what is to
/// come, so that what is sealed can be committed on a full disk too.
///
///     Journal journal = Journal::open(layout.journal(), state);     // state: all that was committed before
///     journal.append(record, state);                                // checked against the state, buffered
///     journal.commit();                                             // durable: now tell others
class Journal {
 public:
  /// Creates it, or replays it into `state`. A damaged header is written anew. What is behind the last good record, a
  /// torn tail, stays until the first commit() writes over it, which keeps a copy as `journal.torn-N`: of processes
  /// that die before that, the next one still finds that something is lost. Durable when it returns. `disk` must
  /// outlive it.
  [[nodiscard]] static Journal open(const std::filesystem::path& path, JournalState& state, Disk& disk = real_disk());

  /// The next RunStart begins an epoch behind this one, if not later: shards of epochs that the journal has lost may be
  /// there, and names are never used twice.
  void pass_over(Epoch epoch) noexcept;
  /// Applies the record to the state (which throws if it contradicts it, and nothing is appended then) and keeps it for
  /// commit(). A RunStart begins the next epoch; no other record may come before the first one.
  void append(const JournalRecord& record, JournalState& state);
  /// Writes and fdatasyncs what was appended. Nothing may be acknowledged before. Throws Error if another process has
  /// written to the file since: an older epoch never writes over a newer one. After an Error the journal is
  /// finished: it refuses every further call, since a failed sync is final.
  void commit();
  /// Gives back the room that is kept for further records, where they are the last.
  void give_back_room() noexcept;
  /// False if another process has written to the file since this one read it or wrote to it: the folder is that one's.
  /// What a failed commit() of ours may have left there does not count.
  [[nodiscard]] bool is_ours() const;
  /// Throws Error, as commit() does, if it is not.
  void expect_ours() const;

  [[nodiscard]] Epoch epoch() const noexcept { return epoch_; }
  /// open() has found a torn tail.
  [[nodiscard]] bool lost_tail() const noexcept { return lost_tail_; }
  /// Records appended but not yet committed?
  [[nodiscard]] bool pending() const noexcept { return !buffer_.empty(); }

 private:
  Journal(std::filesystem::path path, Disk& disk, std::unique_ptr<DiskFile> file, const JournalReplay& replay);
  void keep_room();
  void keep_tail();

  std::filesystem::path path_;
  Disk* disk_;
  std::unique_ptr<DiskFile> file_;
  std::uint64_t end_ = 0;   ///< of the last record that is written
  std::uint64_t size_ = 0;  ///< of the file, as we found or left it: more than end_ as long as there is a torn tail
  std::uint64_t room_ = 0;  ///< end of what the disk has set aside for the file
  Bytes buffer_;
  std::uint64_t sequence_ = 0;
  std::uint64_t chain_ = 0;
  Epoch epoch_{};
  Epoch passed_{};  ///< RunStart goes beyond both
  bool lost_tail_ = false;
  bool broken_ = false;
};

}  // namespace pantile
