#include "config/config.hpp"

#include <algorithm>

#include "config/load.hpp"

namespace pantile {
std::uint64_t MemoryConfig::budget(const std::string& device, std::uint64_t total, int sharers) const {
  const auto share = [&](std::uint64_t bytes) { return bytes / static_cast<std::uint64_t>(std::max(1, sharers)); };
  auto named = per_device.find(device);
  if (named == per_device.end()) {
    named = per_device.find(device.substr(device.rfind(':') + 1));
  }
  const std::uint64_t own = named == per_device.end() ? share(cap.of(total)) : named->second.of(total);
  const std::uint64_t others = std::min(leave.of(total), total);
  return std::min({own, share(total - others), host ? share(host->of(total)) : own});
}

std::uint64_t QuarantineLimit::of(std::uint64_t total) const noexcept {
  switch (kind) {
    case Kind::none: break;
    case Kind::items: return std::min(items, total);
    case Kind::percent: return static_cast<std::uint64_t>(static_cast<double>(total) * percent / 100);
  }
  return total;
}

RunConfig parse_config(const std::string& text, const std::string& display, const std::filesystem::path& folder,
                       const std::vector<std::string>& sets) {
  return parse_job(text, display, folder, {.sets = sets, .environment = {}}).config;
}

RunConfig load_config(const std::filesystem::path& path, const std::vector<std::string>& sets) {
  return load_job(path, {.sets = sets, .environment = process_environment()}).config;
}

}  // namespace pantile
