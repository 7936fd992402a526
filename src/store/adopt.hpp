#pragma once
// Sealed shards that no record of the journal names: their record was lost with a damaged journal, or their writer died
// between the seal and the record. What such a shard holds is as good as what is committed, if it can prove itself.

#include <cstddef>
#include <functional>
#include <string>

#include "base/disk.hpp"
#include "base/ids.hpp"
#include "store/format.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"

namespace pantile {

/// The latest epoch of any shard in the folder, sealed or partial; 0 if there is none. New shards must be of a later
/// one.
[[nodiscard]] Epoch latest_epoch(const RunLayout& layout, Disk& disk = real_disk());

/// The commit that a shard's own content makes. Throws Error if the shard does not prove itself.
using ProveShard = std::function<ShardCommit(const ShardName&, const JournalState&)>;
/// Of a run's HDF5 shards: the seal holds, the shard is of this run and has the name that it was given, the pixels of
/// every row have the row's digest, and every row is still wanted. HDF5 thread only.
[[nodiscard]] ProveShard prove_shards(RunLayout layout, std::string run_id);

/// Appends an adoption for each shard of an earlier epoch in the folder that the journal neither names nor has retired,
/// and that proves itself. The others stay where they are, and are named in the log. Returns how many were adopted; the
/// caller commits. Precondition: the journal's epoch has begun.
std::size_t adopt_shards(const RunLayout& layout, const ProveShard& prove, Journal& journal, JournalState& state,
                         Disk& disk = real_disk());

}  // namespace pantile
