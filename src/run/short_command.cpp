#include "run/short_command.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "run/child_process.hpp"
#include "run/signals.hpp"

namespace pantile {
namespace {

struct Running {
  std::optional<Child> child;
  ShortCommand result;
};

Running begin(const std::vector<std::string>& line) {
  try {
    return {start_child(line, Hears::output), {}};
  } catch (const Error&) {
    return {};  // not installed, as a rule
  }
}

/// True once it has ended.
bool look(Running& command) {
  constexpr std::size_t enough = 65'536;
  read_words(*command.child, command.result.output);
  command.result.output.resize(std::min(command.result.output.size(), enough));
  int status = 0;
  if (::waitpid(command.child->pid, &status, WNOHANG) != command.child->pid) {
    return false;
  }
  read_words(*command.child, command.result.output);
  command.result.code = exit_code(status);
  return true;
}

void kill(const Running& command) {
  ::kill(-command.child->pid, SIGKILL);
  ::waitpid(command.child->pid, nullptr, 0);
}

std::string trimmed(const std::string& text) {
  constexpr const char* white = " \t\r\n";
  const std::size_t first = text.find_first_not_of(white);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(white) - first + 1);
}

}  // namespace

std::vector<ShortCommand> run_short_commands(const std::vector<std::vector<std::string>>& lines,
                                             std::chrono::milliseconds limit) {
  std::vector<Running> commands;
  commands.reserve(lines.size());
  std::transform(lines.begin(), lines.end(), std::back_inserter(commands), begin);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const int signals = stop_signals();
  for (bool any = true; any; std::this_thread::sleep_for(std::chrono::milliseconds{any ? 10 : 0})) {
    any = false;
    const bool late = std::chrono::steady_clock::now() >= deadline || stop_signals() > signals;
    for (Running& command : commands) {
      if (command.child && look(command)) {
        command.child.reset();
      } else if (command.child && late) {
        kill(command);
        command.child.reset();
      }
      any = any || command.child;
    }
  }
  std::vector<ShortCommand> results;
  for (Running& command : commands) {
    command.result.output = trimmed(command.result.output);
    results.push_back(std::move(command.result));
  }
  return results;
}

ShortCommand run_short_command(const std::vector<std::string>& line, std::chrono::milliseconds limit) {
  return run_short_commands({line}, limit).front();
}

}  // namespace pantile
