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
  std::vector<ItemId> mended{};  ///< could not be read then, or not be made, and are another file now
  [[nodiscard]] bool any() const noexcept { return added > 0 || !mended.empty(); }
};
enum class Rescan : bool { no, yes };
/// What a start is asked to look at once more.
struct LookAgain {
  Rescan rescan = Rescan::no;  ///< for new files
  bool quarantined = false;    ///< at the files in quarantine, which may be mended
};
/// Looks for the inputs where the job says that they are now, looks again at the files that could not be read, and at
/// what is asked for. A file of which some blocks are committed stays what it was: its results must be of one file.
/// Throws as list_inputs(), and UsageError if an archive that holds pending items has changed.
[[nodiscard]] Renewal renew(Catalog& catalog, const RunConfig& config, const JournalState& state,
                            const LookAgain& asked, const ProbeHeaders& probe);

}  // namespace pantile
