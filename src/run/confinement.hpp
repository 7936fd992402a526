#pragma once
// What an executor may not do any more once its model is open. It then reads files that anybody may have made, with
// decoders that anybody may have found a hole in.

#include <cstdint>

namespace pantile {

/// This process, with all of its threads, can from now on start no program, open no socket, trace no process, and open
/// no file for writing: the first three end it (SIGSYS), the last is refused (EACCES). There is no way back. It keeps
/// the descriptors that it has. Says so in the log, and goes on, where the kernel does not offer it.
void confine_to_reading();

/// The most that this process's private memory may grow beyond what it has now; what is asked beyond it fails as if the
/// machine had no more. Bytes.
void limit_growth(std::uint64_t bytes);

}  // namespace pantile
