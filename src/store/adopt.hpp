#pragma once
// Sealed shards that no record of the journal names: their record was lost with a damaged journal, or their writer died
// between the seal and the record. What such a shard holds is as good as what is committed, if it can prove itself.

#include <cstddef>
#include <string_view>

#include "base/ids.hpp"
#include "store/format.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"

namespace pantile {

/// The latest epoch of any shard in the folder, sealed or partial; 0 if there is none. New shards must be of a later
/// one.
[[nodiscard]] Epoch latest_epoch(const RunLayout& layout);

/// Appends an adoption for each shard in the folder that the journal neither names nor has retired, and that proves
/// itself: its seal holds, it is of this run and of an earlier epoch and has the name that it was given, the pixels of
/// every row have the row's digest, and every row is still wanted. The others stay where they are, and are named in the
/// log. Returns how many were adopted; the caller commits. HDF5 thread only. Precondition: the journal's epoch has
/// begun.
std::size_t adopt_shards(const RunLayout& layout, std::string_view run_id, Journal& journal, JournalState& state);

}  // namespace pantile
