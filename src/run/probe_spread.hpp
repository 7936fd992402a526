#pragma once

#include "base/ids.hpp"
#include "cluster/put_back.hpp"
#include "source/catalog.hpp"

namespace pantile {

/// From so many items on the other ranks help: below, rank 0 is done (within 0.1 s, from a local disk) before the
/// others have said Hello.
inline constexpr std::uint64_t spread_from_items = 4096;

/// Reads the headers of all items from `first` on, on this rank's threads and on those of every rank that says Hello
/// meanwhile; the catalog is the same whoever reads what (source/probe_board.hpp). Waits for nobody. What the ranks
/// said that is not for here can be polled again afterwards. Rank 0's messaging thread only.
void probe_with_ranks(Catalog& catalog, ItemId first, PutBackTransport& ranks);

}  // namespace pantile
