#pragma once
// What an executor may not do any more once its model is open. It then reads files that anybody may have made, with
// decoders that anybody may have found a hole in.

#include <cstdint>
#include <string>

namespace pantile {

/// This process, with all of its threads, can from now on start no program and no process, open no socket and trace no
/// process: that ends it (SIGSYS). It can change no file, nor what is known of one, send no signal to others, and take
/// no rights: that is refused (EACCES, EPERM). There is no way back. It keeps the descriptors that it has, and reads
/// what its user may read. Says so in the log, and goes on, where the kernel does not offer it. docs/security.md has
/// the rest.
void confine_to_reading();

/// Why this machine has no such filter, tried in a process of its own; empty if it has.
[[nodiscard]] std::string why_not_confined();

/// The most that this process's private memory may grow beyond what it has now; what is asked beyond it fails as if the
/// machine had no more. Bytes.
void limit_growth(std::uint64_t bytes);

}  // namespace pantile
