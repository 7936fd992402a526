#pragma once
// The part of a rank that touches the device and untrusted bytes: it opens the model, reads and decodes files, runs
// tiles. It knows its rank by messages and an arena alone; today it is a thread, and a process tomorrow.

#include "pipeline/arena.hpp"
#include "pipeline/link.hpp"

namespace pantile {

/// Serves one rank until StopExecutor. Returns when all of its own threads have ended. Does not throw: what goes wrong
/// with an item is BlockHasFailed, what goes wrong with the machine before the first item is OpenFailed.
void run_executor(Link& link, const Arena& arena);

/// Microseconds of the steady clock, the same for all processes of a machine: what spans count in.
[[nodiscard]] std::int64_t steady_us();

}  // namespace pantile
