#pragma once
// The kernel's OOM killer: whom it takes first, and whether it came.

#include <cstdint>

namespace pantile {

/// This process is the first to go when memory runs out, before its rank and the machine's other work.
void prefer_for_oom() noexcept;

/// Processes that the OOM killer has ended so far, in this process's control group if it can be read, else on the
/// machine. Only its growth means something. 0 if nothing can be read.
[[nodiscard]] std::uint64_t count_oom_kills() noexcept;

}  // namespace pantile
