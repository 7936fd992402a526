#pragma once

#include "report/live.hpp"
#include "store/format.hpp"
#include "store/journal_state.hpp"

namespace pantile::app {

/// How far a run is, by live.json, and by the journal wherever that knows better: live.json is only the latest word of
/// a process that may be gone.
[[nodiscard]] LiveState run_state(const RunLayout& layout, const JournalState& journal);

}  // namespace pantile::app
