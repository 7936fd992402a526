#include "run/lifeline.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/error.hpp"

namespace pantile {
namespace {

/// A process that has ended and that nobody has asked for still has its number.
bool is_alive(pid_t pid) {
  if (::kill(pid, 0) != 0 && errno == ESRCH) {
    return false;
  }
  std::ifstream file{fmt::format("/proc/{}/stat", pid)};
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() ||
         (text[name_end + 2] != 'Z' && text[name_end + 2] != 'X');
}

/// Where process numbers have one meaning: a boot of a machine, and a namespace of it (a container). Host names do not
/// tell: containers share them.
std::string pid_space() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string boot;
  file >> boot;
  std::error_code ignored;
  return boot + "/" + std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
}

}  // namespace

std::string supervisor_name() { return fmt::format("{}/{}", ::getpid(), pid_space()); }

SupervisorWatch::SupervisorWatch() {
  const char* const value = std::getenv(supervised_variable);
  const std::string_view name = value == nullptr ? "" : value;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error == std::errc{} && name.substr(static_cast<std::size_t>(end - name.data())) == "/" + pid_space()) {
    pid_ = pid;
  }
}

bool SupervisorWatch::is_gone() {
  const auto now = std::chrono::steady_clock::now();
  if (pid_ > 0 && !gone_ && now >= next_look_) {
    next_look_ = now + std::chrono::seconds{1};
    gone_ = !is_alive(pid_);
  }
  return gone_;
}

}  // namespace pantile
