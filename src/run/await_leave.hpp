#pragma once

#include "base/error.hpp"
#include "cluster/transport.hpp"

namespace pantile {

/// What a worker that has given up does: nothing, until the run is over. The others may well finish it. Returns the
/// run's code.
[[nodiscard]] ExitCode await_leave(Transport& transport);

}  // namespace pantile
