#pragma once
// Reads every byte of a run again and says what is wrong with it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "store/folder_lock.hpp"
#include "store/format.hpp"

namespace pantile {

struct VerifyReport {
  Hash128 digest;  ///< the run digest of what is really there
  std::uint64_t items = 0;
  std::uint64_t done = 0;
  std::uint64_t quarantined = 0;
  bool ended = false;                  ///< the journal says that all is done
  bool ended_once = false;             ///< all was done once: what is pending now was lost since
  std::optional<LockOwner> running;    ///< who writes it now: what is not there yet is no problem then
  std::vector<std::string> problems;   ///< plain sentences; empty: the run is complete and sound, or sound so far
  std::vector<std::string> notes;      ///< what is there of a run that goes on
  std::vector<std::string> bad_files;  ///< below the run folder: "shards/e0001-r0001-000000.h5", "journal"
  /// Names of committed shards that are missing or damaged: what a repair retires.
  std::vector<std::string> bad_shards;
  bool foreign = false;  ///< something is of another version of this program: nothing may be changed
};

using VerifyProgress = std::function<void(std::uint64_t checked, std::uint64_t all)>;

/// Whether somebody may write the run while it is read.
enum class Writers : bool {
  possible,  ///< look at the lock: what a running run has not finished is not damage
  none       ///< the caller holds the lock
};

/// Checks journal, run.yaml, catalog.h5 and every committed shard (their bytes against what the journal has of them,
/// the digest of each row, rows against the journal), that each item is done or quarantined, the run digest of the
/// journal's end, and that index.h5 agrees. Reads only; nothing that is found in the files makes it throw: damage is a
/// problem in the report. No file is handed to HDF5 that is not known to be the one we wrote. Shards that no record
/// names are ignored: they may be on their way. `progress` is told the bytes of shards. HDF5 thread only.
[[nodiscard]] VerifyReport verify_run(const RunLayout& layout, const VerifyProgress& progress = {},
                                      Writers writers = Writers::possible);

}  // namespace pantile
