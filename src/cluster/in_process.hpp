#pragma once

#include <memory>
#include <vector>

#include "cluster/transport.hpp"

namespace pantile {

/// `size` connected ends in one process; end i belongs to whichever single thread uses it. The queues are unbounded, as
/// MPI's are: the protocol itself bounds what is under way (one unit ahead a worker, one seal at a time).
[[nodiscard]] std::vector<std::unique_ptr<Transport>> in_process_ends(int size);

}  // namespace pantile
