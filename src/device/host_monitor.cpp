#include <fstream>
#include <string_view>
#include <utility>

#include "base/byte_size.hpp"
#include "device/cgroup.hpp"
#include "device/device_monitor.hpp"
#include "device/process_memory.hpp"

namespace pantile {

namespace fs = std::filesystem;

namespace {

using Numbers = std::map<std::string, std::uint64_t, std::less<>>;

std::uint64_t number(const Numbers& numbers, const char* word) {
  const auto found = numbers.find(word);
  return found != numbers.end() ? found->second : 0;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

std::uint64_t room(const MemorySample& sample) { return less(sample.limit_bytes, sample.used_bytes); }

/// Pages that were freed and lie in a list of one processor. Since Linux 6.7 these lists grow to an eighth of a zone,
/// and MemAvailable does not have them: seen here, a gigabyte that a process gave back was in use for as long as nobody
/// needed it.
std::uint64_t bytes_in_lists(const fs::path& root) {
  std::ifstream zones{root / "proc/zoneinfo"};
  std::uint64_t pages = 0;
  for (std::string line; std::getline(zones, line);) {
    const auto word = line.find_first_not_of(' ');
    if (word != std::string::npos && line.compare(word, 6, "count:") == 0) {
      const auto digits = line.find_first_of("0123456789", word);
      pages += digits != std::string::npos ? leading_number(std::string_view{line}.substr(digits)).value_or(0) : 0;
    }
  }
  return pages * page_bytes();
}

std::optional<MemorySample> sample_machine(const fs::path& root) {
  const Numbers info = read_numbers(root / "proc/meminfo");
  const std::uint64_t total = number(info, "MemTotal:") * KiB;
  if (total == 0 || !info.contains("MemAvailable:")) {
    return std::nullopt;
  }
  const std::uint64_t available = number(info, "MemAvailable:") * KiB + bytes_in_lists(root);
  return MemorySample{total, less(total, available), std::nullopt, "/proc/meminfo"};
}

std::optional<MemorySample> sample_group(const fs::path& folder, CgroupVersion version) {
  const bool second = version == CgroupVersion::second;
  const auto limit = read_number(folder / (second ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = read_number(folder / (second ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !used || *limit == 0) {
    return std::nullopt;
  }
  // What the kernel takes back before it kills: pages of files, the active ones too (an image that was read twice is
  // active, and no reason to shrink), and names of files. Shared memory is not among them.
  const Numbers stat = read_numbers(folder / "memory.stat");
  const std::uint64_t cache =
      second ? number(stat, "inactive_file") + number(stat, "active_file") + number(stat, "slab_reclaimable")
             : number(stat, "total_inactive_file") + number(stat, "total_active_file");
  return MemorySample{*limit, less(*used, cache), std::nullopt, "cgroup " + folder.string()};
}

class HostMonitor : public DeviceMonitor {
 public:
  explicit HostMonitor(fs::path root) : root_{std::move(root)} {}

  [[nodiscard]] std::optional<MemorySample> sample() override {
    std::optional<MemorySample> least = sample_machine(root_);
    // Looked up anew each time: a batch system may move us into our group after the start.
    each_cgroup_folder(root_, "memory", [&](const fs::path& folder, CgroupVersion version) {
      // A limit above the machine's memory is none. Version 1 writes such a number for "no limit".
      if (auto group = sample_group(folder, version); group && (!least || room(*group) < room(*least))) {
        least = std::move(group);
      }
    });
    return least;
  }

 private:
  fs::path root_;
};

}  // namespace

std::unique_ptr<DeviceMonitor> host_monitor(const fs::path& root) { return std::make_unique<HostMonitor>(root); }

}  // namespace pantile
