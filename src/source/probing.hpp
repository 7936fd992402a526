#pragma once
// Headers into the catalog, on the threads of this process.

#include <span>
#include <vector>

#include "base/ids.hpp"
#include "source/catalog.hpp"

namespace pantile {

/// True if somebody has to look at the item: rows of a stack are known, and so is what cannot be read by the archive's
/// own word.
[[nodiscard]] bool wants_probe(const Catalog& catalog, ItemId item);

/// Threads to read headers with: they wait for storage more than for a core.
[[nodiscard]] int probe_threads(int cores);

/// Reads the headers behind some places, in their order, on `threads` threads (≥ 1).
[[nodiscard]] std::vector<Probed> probe_places(std::span<const ItemPlace> places, int threads);

/// Reads the header of every item from `first` on that wants it.
void probe_here(Catalog& catalog, ItemId first, int threads);

/// Looks again at these items, and puts in what it finds of those that can be read and are not what the catalog knows:
/// a file that was mended, or copied anew. Returns those.
std::vector<ItemId> probe_mended(Catalog& catalog, std::span<const ItemId> items, int threads);

/// Looks again at items before `end` that could not be read when the catalog was made (Fault::unreadable), and puts in
/// what it finds if they can be now. Returns those. A mount may have been away, or a disk in trouble, for a while.
std::vector<ItemId> probe_unreadable_again(Catalog& catalog, ItemId end, int threads);

}  // namespace pantile
