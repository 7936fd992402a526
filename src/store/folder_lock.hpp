#pragma once
// Who owns a run folder. A kernel lock on the file `lock` (released by the kernel when its owner dies, however it dies)
// plus the owner's name in it: host, pid, epoch.
//
// Where the file system has no locks, or they do not reach other hosts, the name decides: an owner on this host is gone
// if its process is; an owner elsewhere is gone if neither `lock`, `live.json` nor `journal` changed while we waited.
// An owner therefore touches `lock` every two seconds, whatever else it does. Should one be taken for dead that only
// slept (SIGSTOP, a frozen machine), it leaves `lock` alone from then on, and the journal refuses its next record
// (Journal::expect_ours).

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "store/format.hpp"

namespace pantile {

/// The owner of a folder, as `lock` names it.
struct LockOwner {
  std::string host{};
  std::int64_t pid = 0;
  std::uint32_t epoch = 0;
  bool operator==(const LockOwner&) const = default;
};
/// "process 123 on node7 (epoch 3)"
[[nodiscard]] std::string to_string(const LockOwner& owner);

class FolderLock {
 public:
  /// Takes the lock of the existing folder, waiting up to `patience` for its owner to end. Throws UsageError naming the
  /// owner if it does not, Error if the file cannot be written.
  [[nodiscard]] static FolderLock take(const RunLayout& layout, std::chrono::milliseconds patience);
  ~FolderLock();
  FolderLock(FolderLock&&) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;

  /// Puts the epoch into `lock`, for people and for the message of a second run. Throws UsageError if the folder has
  /// another owner by now.
  void set_epoch(Epoch epoch);

 private:
  class Held;
  explicit FolderLock(std::unique_ptr<Held> held) noexcept;
  std::unique_ptr<Held> held_;
};

/// Who owns the folder now; nobody if its last owner has ended, however it ended. Reads only.
[[nodiscard]] std::optional<LockOwner> owner_of(const RunLayout& layout);

}  // namespace pantile
