#include "device/oom.hpp"

#include <exception>
#include <fstream>
#include <optional>
#include <string>

namespace pantile {
namespace {

/// The number behind a word in a file of "word number" lines; nothing if it is not there.
std::optional<std::uint64_t> number_after(const std::string& path, const std::string& wanted) {
  std::ifstream file{path};
  std::string word;
  std::uint64_t number = 0;
  while (file >> word >> number) {
    if (word == wanted) {
      return number;
    }
  }
  return std::nullopt;
}

/// The file of this process's memory control group, of version 2 or 1, that counts; empty if it cannot be read.
std::string memory_group_file() {
  std::ifstream groups{"/proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    const std::size_t name = line.find(':');
    const std::size_t path = name == std::string::npos ? name : line.find(':', name + 1);
    if (path == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(name + 1, path - name - 1);
    if (controllers == "memory") {
      const std::string file = "/sys/fs/cgroup/memory" + line.substr(path + 1) + "/memory.oom_control";
      return number_after(file, "oom_kill") ? file : std::string{};
    }
    if (controllers.empty() && std::ifstream{"/sys/fs/cgroup" + line.substr(path + 1) + "/memory.events"}) {
      return "/sys/fs/cgroup" + line.substr(path + 1) + "/memory.events";
    }
  }
  return {};
}

}  // namespace

void prefer_for_oom() noexcept { std::ofstream{"/proc/self/oom_score_adj"} << 1000; }

std::uint64_t count_oom_kills() noexcept {
  try {
    const std::string group = memory_group_file();
    return group.empty() ? number_after("/proc/vmstat", "oom_kill").value_or(0)
                         : number_after(group, "oom_kill").value_or(0);
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace pantile
