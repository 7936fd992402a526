#include "device/cgroup.hpp"

#include <charconv>
#include <fstream>
#include <sstream>

namespace pantile {

namespace fs = std::filesystem;

namespace {

using Look = std::function<void(const fs::path&, CgroupVersion)>;

void walk_upwards(const fs::path& mount, const fs::path& group, CgroupVersion version, const Look& look) {
  // Seen from another cgroup namespace the path may start with "/..": normalised, it stays below the mount.
  for (fs::path part = group.lexically_normal().relative_path();; part = part.parent_path()) {
    look(mount / part, version);
    if (part.empty()) {
      return;
    }
  }
}

}  // namespace

void each_cgroup_folder(const fs::path& root, const std::string& controller, const Look& look) {
  // Lines of two kinds: "0::/user.slice" (version 2, which has all controllers), "7:cpu,memory:/slurm/job_1" (version
  // 1).
  std::ifstream groups{root / "proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") {
      walk_upwards(root / "sys/fs/cgroup", group, CgroupVersion::second, look);
      walk_upwards(root / "sys/fs/cgroup/unified", group, CgroupVersion::second, look);
    } else if (controllers.find("," + controller + ",") != std::string::npos) {
      walk_upwards(root / "sys/fs/cgroup" / controller, group, CgroupVersion::first, look);
    }
  }
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end != text.data() ? std::optional{value} : std::nullopt;
}

std::optional<std::uint64_t> read_number(const fs::path& file) {
  std::ifstream stream{file};
  std::string word;
  return stream >> word ? leading_number(word) : std::nullopt;
}

std::map<std::string, std::uint64_t, std::less<>> read_numbers(const fs::path& file) {
  std::map<std::string, std::uint64_t, std::less<>> numbers;
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words{line};
    std::string word;
    std::uint64_t number = 0;
    if (words >> word >> number) {
      numbers.emplace(word, number);
    }
  }
  return numbers;
}

}  // namespace pantile
