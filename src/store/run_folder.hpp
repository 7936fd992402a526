#pragma once
// A run's folder: who owns it, which run it is, and what a resume sweeps away. Rank 0 (or `--ranks 1`) only.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/disk.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "store/format.hpp"
#include "store/orphans.hpp"

namespace pantile {

/// The owner of a folder, as `lock` names it.
struct LockOwner {
  std::string host{};
  std::int64_t pid = 0;
  std::uint32_t epoch = 0;
  bool operator==(const LockOwner&) const = default;
};

/// Owns a run folder as long as it lives: nobody else writes in it. The lock is the kernel's, also where `disk`, which
/// must outlive the folder, is not.
///
/// The lock is a kernel lock on the file `lock` (released by the kernel when its owner dies, however it dies) plus the
/// owner's name in it. Where the file system has no locks, or they do not reach other hosts, the name decides: an owner
/// on this host is gone if its process is; an owner elsewhere is gone if neither `lock`, `live.json` nor `journal`
/// changed while we waited. So an owner must call beat() or rewrite live.json at least every 5 s.
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
  ~RunFolder();
  RunFolder(RunFolder&&) noexcept = default;
  RunFolder& operator=(RunFolder&&) = delete;

  [[nodiscard]] const RunLayout& layout() const noexcept { return layout_; }

  /// First start: writes run.yaml (a run id of its own, then `identity`), durable. Resume: throws UsageError with the
  /// lines that differ if it is another identity. Returns the run id, 32 hex digits. `identity` is text of whole lines.
  [[nodiscard]] std::string claim_identity(std::string_view identity);

  /// Puts the epoch into `lock`, for people and for the message of a second run.
  void set_epoch(Epoch epoch);
  /// Shows other hosts that the owner is alive.
  void beat() const noexcept;

  /// Removes what an interrupted epoch left (orphans.hpp). Call it after the journal was replayed, before the first
  /// worker writes.
  std::size_t remove_orphans(const JournalState& state, Sealed sealed = Sealed::remove) const;

 private:
  RunFolder(Disk& disk, RunLayout layout, File lock, LockOwner owner);
  void write_owner() const;

  Disk* disk_;
  RunLayout layout_;
  File lock_;
  LockOwner owner_;
};

/// The run id of a folder, and the identity text that was given when it began. Throws Error if there is no run in it.
struct RunIdentity {
  std::string run_id{};
  std::string text{};
};
[[nodiscard]] RunIdentity read_identity(const RunLayout& layout);
/// Throws UsageError with the lines that differ if the run in the folder is another one.
void check_identity(const RunLayout& layout, std::string_view identity);

/// xxh3-128 of the bytes of run.yaml: the journal has it, so that verify sees when the file is another one.
[[nodiscard]] Hash128 identity_hash(const RunLayout& layout);

/// Lines of `before` that `after` lacks, each with "- " in front, and the other way round with "+ ".
[[nodiscard]] std::string diff_lines(std::string_view before, std::string_view after);

}  // namespace pantile
