#include "run/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/error.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace pantile {

Child start_child(const std::vector<std::string>& line, Hears hears) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw system_error("cannot make a pipe for a child's messages");
  }
  File read_end{ends[0]};
  const File write_end{ends[1]};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), hears == Hears::errors ? STDERR_FILENO : STDOUT_FILENO);
  if (hears == Hears::output) {
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> arguments;
  arguments.reserve(line.size() + 1);
  for (const std::string& word : line) {
    arguments.push_back(
        const_cast<char*>(word.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): exec's old signature
  }
  arguments.push_back(nullptr);
  Child child{-1, std::move(read_end)};
  const int failed = ::posix_spawnp(&child.pid, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    throw Error{fmt::format("cannot start {}: {}", line[0], std::strerror(failed))};
  }
  ::fcntl(child.words.get(), F_SETFL, O_NONBLOCK);
  return child;
}

void read_words(const Child& child, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(child.words.get(), buffer.data(), buffer.size());
    if (count <= 0) {
      return;
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

int exit_code(int status) noexcept { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace pantile
