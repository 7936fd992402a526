#pragma once
// The executor as a child process of its rank: the same binary, started with posix_spawn. Both map the arena; they
// talk through a socket; what the child writes to stderr comes to the rank line by line.

#include <cstdint>
#include <memory>
#include <span>

#include "base/error.hpp"
#include "run/executor_host.hpp"

namespace pantile {

/// The hidden subcommand that makes this binary an executor.
inline constexpr const char* executor_subcommand = "executor";

/// Starts a child. Throws Error if that fails.
[[nodiscard]] std::unique_ptr<ExecutorHost> host_executor_process(const Arena& arena);

/// The child's side: serves the rank that has started it, and ends with it. `arguments`: those behind the subcommand.
[[nodiscard]] ExitCode serve_as_executor(std::span<char* const> arguments);

}  // namespace pantile
