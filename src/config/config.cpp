#include "config/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "config/binder.hpp"
#include "config/emit.hpp"
#include "config/overrides.hpp"

namespace pantile {
namespace {

constexpr std::uint64_t max_file_bytes = std::uint64_t{1} << 20U;

ConfigNode parse_tree(const std::string& text, const std::string& display, std::vector<Diagnostic>& diagnostics) {
  ConfigNode root = parse_document(display, text, diagnostics);
  if (diagnostics.empty() && root.kind != ConfigNode::Kind::map) {
    const bool empty = root.kind == ConfigNode::Kind::null;
    diagnostics.push_back({empty ? display + " is empty" : fmt::format("a job is a map of keys, not {}", said(root)),
                           empty ? Place{} : root.place, "the least there is: configs/upscale.yaml"});
  }
  return root;
}

}  // namespace

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
  std::vector<Diagnostic> diagnostics;
  ConfigNode root = parse_tree(text, display, diagnostics);
  const bool is_map = root.kind == ConfigNode::Kind::map;
  for (std::size_t i = 0; i < sets.size() && is_map; ++i) {
    apply_set(root, sets[i], i + 1, diagnostics);
  }
  RunConfig config;
  config.folder = std::filesystem::absolute(folder).lexically_normal();
  if (is_map) {
    bind_config(config, root, diagnostics);
  }
  if (!diagnostics.empty()) {
    throw ConfigError{std::move(diagnostics)};
  }
  return config;
}

RunConfig load_config(const std::filesystem::path& path, const std::vector<std::string>& sets) {
  std::string text;
  try {
    const Bytes bytes = read_file(path, max_file_bytes);
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } catch (const Error& error) {
    throw ConfigError{{{error.what(), {}, "a job file is YAML; a sample: configs/upscale.yaml"}}};
  }
  return parse_config(text, path.string(), std::filesystem::absolute(path).parent_path(), sets);
}

std::string effective_text(const RunConfig& config) {
  return fmt::format("# relative paths count from {}\n", yaml_scalar(config.folder.string())) +
         emit_config(config, [](const Field&, const Slot& slot, std::size_t) { return slot.write(); });
}

}  // namespace pantile
