#pragma once
// Reads every byte of a run again and says what is wrong with it.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "store/format.hpp"

namespace pantile {

struct VerifyReport {
  Hash128 digest;  ///< the run digest of what is really there
  std::uint64_t items = 0;
  std::uint64_t done = 0;
  std::uint64_t quarantined = 0;
  std::vector<std::string> problems;  ///< plain sentences; empty: the run is complete and sound
  std::vector<std::string>
      bad_shards;  ///< names of committed shards that are missing or damaged: what a repair retires
};

/// Checks catalog, journal, every committed shard (hash of the file, digest of each row, rows against the journal),
/// that each item is done or quarantined, the run digest of the journal's end, and that index.h5 agrees. Reads only;
/// nothing that is found in the files makes it throw: damage is a problem in the report. Shards that no record names
/// are ignored. `progress` is called with bytes checked so far and bytes in all. HDF5 thread only.
[[nodiscard]] VerifyReport verify_run(const RunLayout& layout,
                                      const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

}  // namespace pantile
