#include "config/config.hpp"

#include <algorithm>

#include "config/load.hpp"

namespace pantile {
std::uint64_t MemoryConfig::budget(std::uint64_t total) const noexcept {
  const std::uint64_t others = std::min(leave.of(total), total);
  return std::min(cap.of(total), total - others);
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
