#include "device/oom.hpp"

#include <algorithm>
#include <exception>
#include <fstream>
#include <string>

namespace pantile {
namespace {

/// The number behind a word in a file of "word number" lines; 0 if it is not there.
std::uint64_t number_after(const std::string& path, const std::string& wanted) {
  std::ifstream file{path};
  std::string word;
  std::uint64_t number = 0;
  while (file >> word >> number) {
    if (word == wanted) {
      return number;
    }
  }
  return 0;
}

/// The folder of this process's memory control group, of version 2 or 1.
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
      return "/sys/fs/cgroup/memory" + line.substr(path + 1) + "/memory.oom_control";
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
    // A process that dies in a group of its own (a Slurm step) is counted there; the machine counts them all.
    return std::max(number_after(memory_group_file(), "oom_kill"), number_after("/proc/vmstat", "oom_kill"));
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace pantile
