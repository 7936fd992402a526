#pragma once
// The part of a rank that touches the device and untrusted bytes: it opens the model, reads and decodes files, runs
// tiles. It knows its rank by messages and an arena alone, and so does not care whether it is a process or a thread.

#include "pipeline/arena.hpp"
#include "pipeline/link.hpp"

namespace pantile {

/// Whether an executor has a process for itself, which it may then confine.
enum class OwnProcess : bool { no, yes };

/// Serves one rank until StopExecutor, or until the rank is gone. Returns when all of its own threads have ended. Does
/// not throw: what goes wrong with an item is BlockHasFailed, what goes wrong with the machine before the first item is
/// OpenFailed.
void run_executor(Link& link, const Arena& arena, OwnProcess own_process);

}  // namespace pantile
