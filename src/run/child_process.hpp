#pragma once
// A command of the system as a child: in a process group of its own, so that a Ctrl-C of the terminal reaches us alone,
// and without standard input, so that it does not take the terminal's keys.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/file.hpp"

namespace pantile {

struct Child {
  pid_t pid = -1;
  File words;  ///< what it says; reading does not block
};

enum class Hears : std::uint8_t {
  errors,  ///< stderr comes to us, stdout goes where ours goes
  output,  ///< stdout comes to us, stderr is thrown away
};

/// Found by PATH. Throws Error, with the system's reason, if it cannot be started.
[[nodiscard]] Child start_child(const std::vector<std::string>& line, Hears hears);

/// Adds what there is to read.
void read_words(const Child& child, std::string& text);

/// As a shell tells it: the exit code, or 128 + the signal. `status` is waitpid's.
[[nodiscard]] int exit_code(int status) noexcept;

}  // namespace pantile
