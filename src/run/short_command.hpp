#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace pantile {

struct ShortCommand {
  int code = -1;       ///< its exit code; 128 + its signal; −1: it could not be started, or took too long
  std::string output;  ///< of stdout, at most 64 KiB, without white space at its ends
};

/// Runs a command of the system, found by PATH, for `limit` at most; then it and what it started are killed. Its stderr
/// is thrown away.
[[nodiscard]] ShortCommand run_short_command(const std::vector<std::string>& line, std::chrono::milliseconds limit);

/// Several at the same time. Those that still run when a signal asks this process to stop are killed then.
[[nodiscard]] std::vector<ShortCommand> run_short_commands(const std::vector<std::vector<std::string>>& lines,
                                                           std::chrono::milliseconds limit);

}  // namespace pantile
