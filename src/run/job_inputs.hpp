#pragma once
// From the job's inputs to its catalog, at the first start and at each later one.

#include <functional>
#include <vector>

#include "base/ids.hpp"
#include "config/config.hpp"
#include "source/catalog.hpp"
#include "source/inputs.hpp"
#include "store/journal_state.hpp"

namespace pantile {

[[nodiscard]] std::vector<InputSpec> input_specs(const RunConfig& config);

/// Reads the headers of all items from `first` on into the catalog.
using ProbeHeaders = std::function<void(Catalog& catalog, ItemId first)>;
/// On the threads of this process.
void probe_on_this_machine(Catalog& catalog, ItemId first);

/// The catalog of a new run. Throws as list_inputs().
[[nodiscard]] Catalog new_catalog(const RunConfig& config, const ProbeHeaders& probe);

/// What a later start knows better than the one that made the catalog.
struct Renewal {
  std::uint64_t added = 0;       ///< new files, behind the old ones
  std::vector<ItemId> mended{};  ///< could not be read then, and can be now
  [[nodiscard]] bool any() const noexcept { return added > 0 || !mended.empty(); }
};
enum class Rescan : bool { no, yes };
/// Looks for the inputs where the job says that they are now, looks again at the files that could not be read, and with
/// Rescan::yes for new ones. Throws as list_inputs(), and UsageError if an archive that holds pending items has
/// changed.
[[nodiscard]] Renewal renew(Catalog& catalog, const RunConfig& config, const JournalState& state, Rescan rescan,
                            const ProbeHeaders& probe);

}  // namespace pantile
