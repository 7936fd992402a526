#pragma once
// What an interrupted epoch leaves in a run folder, and what becomes of it.

#include <cstddef>
#include <cstdint>

#include "base/disk.hpp"
#include "store/format.hpp"

namespace pantile {

class JournalState;

/// What becomes of sealed shards that the journal does not name.
enum class Sealed : std::uint8_t {
  remove,  ///< they were never committed
  keep     ///< the journal was cut, and may have named them: they are moved aside
};

/// Moves sealed shards that the journal does not name to shards.torn-N. A start whose journal has lost its tail does so
/// before it commits its first record: who dies behind that record leaves nobody who knows of the loss, and the next
/// start would remove them. Returns how many. Throws Error.
std::size_t put_unnamed_aside(Disk& disk, const RunLayout& layout, const JournalState& state);

/// Removes partials, shards that were never committed or are retired, temporary files of catalog.h5, index.h5 and
/// run.yaml. Names that are not ours stay. With Sealed::keep, sealed shards are put aside. Returns how many files went.
/// To be called when the epoch's first record is committed: until then the folder may be another one's. Throws Error.
std::size_t remove_orphans(Disk& disk, const RunLayout& layout, const JournalState& state, Sealed sealed);

}  // namespace pantile
