#pragma once
// A run's folder: who owns it, which run it is, and what a resume sweeps away. Rank 0 (or `--ranks 1`) only.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/disk.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "store/folder_lock.hpp"
#include "store/format.hpp"
#include "store/orphans.hpp"

namespace pantile {

/// Owns a run folder as long as it lives: nobody else writes in it. The lock is the kernel's, also where `disk`, which
/// must outlive the folder, is not.
class RunFolder {
 public:
  /// Creates the folder if needed and takes the lock, waiting up to `patience` for another run to end.
  /// Throws UsageError naming the owner if it does not; Error if the folder cannot be written.
  [[nodiscard]] static RunFolder open(const std::filesystem::path& root,
                                      std::chrono::milliseconds patience = std::chrono::seconds{10},
                                      Disk& disk = real_disk());
  /// Like open(), but an old run in that place is renamed to NAME.old-N first (never deleted). Locked while it moves.
  [[nodiscard]] static RunFolder open_fresh(const std::filesystem::path& root,
                                            std::chrono::milliseconds patience = std::chrono::seconds{10},
                                            Disk& disk = real_disk());
  /// A folder that is there, and that nobody else can reach: on a disk of a simulation. Without a lock.
  [[nodiscard]] static RunFolder unlocked(RunLayout layout, Disk& disk);
  [[nodiscard]] const RunLayout& layout() const noexcept { return layout_; }

  /// First start: writes run.yaml (a run id of its own, then `identity`), durable. Resume: throws UsageError with the
  /// lines that differ if it is another identity. Returns the run id, 32 hex digits. `identity` is text of whole
  /// lines.
  [[nodiscard]] std::string claim_identity(std::string_view identity);

  /// Puts the epoch into `lock`, for people and for the message of a second run. Throws UsageError if the folder has
  /// another owner by now.
  void set_epoch(Epoch epoch) { lock_.value().set_epoch(epoch); }

  /// What becomes of what an interrupted epoch left (orphans.hpp): the one before the epoch's first record is
  /// committed, the other after it, and both before the first worker writes.
  std::size_t put_unnamed_aside(const JournalState& state) const;
  std::size_t remove_orphans(const JournalState& state, Sealed sealed = Sealed::remove) const;

 private:
  RunFolder(Disk& disk, RunLayout layout, std::optional<FolderLock> lock);

  Disk* disk_;
  RunLayout layout_;
  std::optional<FolderLock> lock_;
};

/// The run id of a folder, and the identity text that was given when it began. Throws Error if there is no run in it.
struct RunIdentity {
  std::string run_id{};
  std::string text{};
};
[[nodiscard]] RunIdentity read_identity(const RunLayout& layout);
/// The same from the text of a run.yaml, called `name` in messages. Throws ForeignFormat if it is of another version.
[[nodiscard]] RunIdentity parse_identity(const std::string& text, const std::string& name);
/// Throws UsageError with the lines that differ if the run in the folder is another one.
void check_identity(const RunLayout& layout, std::string_view identity);

/// Lines of `before` that `after` lacks, each with "- " in front, and the other way round with "+ ".
[[nodiscard]] std::string diff_lines(std::string_view before, std::string_view after);

}  // namespace pantile
