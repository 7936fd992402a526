#pragma once
// One worker rank, from its first message to its last: it gets units from the coordinator, hands blocks to its
// executor, and finished blocks to its shard thread. It has no rule of its own about what is done where.

#include "base/error.hpp"
#include "cluster/transport.hpp"
#include "run/device_plan.hpp"

namespace pantile {

/// Serves until the coordinator says Leave, and returns the code it gave. A failure of this machine (no engine, a full
/// disk, an input that is not mounted) is told to the coordinator; the worker then only waits for Leave.
[[nodiscard]] ExitCode run_worker(Transport& transport, const NodeShare& share);

}  // namespace pantile
