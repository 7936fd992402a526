#pragma once
// index.h5: everything a reader needs, in item order. Derived: rebuilt at any time from catalog, journal and shards.

#include "source/catalog.hpp"
#include "store/format.hpp"
#include "store/index_table.hpp"
#include "store/journal_state.hpp"

namespace pantile {

/// Reads /index of every committed shard, one shard open at a time, and replaces index.h5 atomically and durably.
/// Throws Error if a shard is missing or damaged, or the disk is full; the old index.h5 is untouched then.
/// HDF5 thread only. Memory: about 56 bytes an item and output.
RunTotals write_index(const RunLayout& layout, const Catalog& catalog, const JournalState& state);

}  // namespace pantile
