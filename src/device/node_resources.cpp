#include "device/node_resources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>
#include <string_view>

#include "device/cpu.hpp"

namespace pantile {
namespace {

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

}  // namespace

NodeResources resources_here() {
  const char* const fake = std::getenv("PANTILE_FAKE_GPUS");
  const int present = fake == nullptr ? 0 : whole_number(fake).value_or(0);
  return {usable_core_numbers(), visible_gpus(std::getenv("CUDA_VISIBLE_DEVICES"), present)};
}

std::vector<std::string> visible_gpus(const char* cuda_visible_devices, int present) {
  std::vector<std::string> names;
  if (cuda_visible_devices == nullptr) {
    for (int number = 0; number < present; ++number) {
      names.push_back(fmt::format("gpu{}", number));
    }
    return names;
  }
  for (std::string_view rest = cuda_visible_devices; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const int place = static_cast<int>(names.size());
    const bool is_uuid = one.starts_with("GPU-") || one.starts_with("MIG-");
    const int number = is_uuid ? place : whole_number(one).value_or(-1);
    if (number < 0 || number >= present) {
      break;
    }
    names.push_back(fmt::format("gpu{}", number));
  }
  return names;
}

std::vector<int> deal_cores(const std::vector<NodeResources>& workers) {
  std::set<int> all;
  for (const NodeResources& worker : workers) {
    all.insert(worker.cores.begin(), worker.cores.end());
  }
  std::vector<int> dealt(workers.size(), 0);
  for (const int core : all) {
    std::optional<std::size_t> poorest;
    for (std::size_t at = 0; at < workers.size(); ++at) {
      const std::vector<int>& own = workers[at].cores;
      if (std::find(own.begin(), own.end(), core) != own.end() && (!poorest || dealt[at] < dealt[*poorest])) {
        poorest = at;
      }
    }
    ++dealt[*poorest];
  }
  for (int& cores : dealt) {
    cores = std::max(1, cores);  // more workers than cores
  }
  return dealt;
}

std::vector<std::string> deal_devices(const std::vector<NodeResources>& workers) {
  std::set<std::string> taken;
  std::vector<std::string> devices;
  for (const NodeResources& worker : workers) {
    const auto free = std::find_if(worker.gpus.begin(), worker.gpus.end(),
                                   [&](const std::string& gpu) { return !taken.contains(gpu); });
    devices.push_back(free == worker.gpus.end() ? fmt::format("cpu{}", devices.size()) : *free);
    taken.insert(devices.back());
  }
  return devices;
}

}  // namespace pantile
