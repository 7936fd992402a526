#include "config/identity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "config/document.hpp"
#include "config/emit.hpp"

namespace pantile {
namespace {

using Leaves = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Leaves& leaves, const std::string& key) {
  const auto found = std::find_if(leaves.begin(), leaves.end(), [&](const auto& leaf) { return leaf.first == key; });
  return found == leaves.end() ? nullptr : &found->second;
}

}  // namespace

std::string identity_text(const RunConfig& config, const IdentityFacts& facts) {
  expect(facts.model_digests.size() == config.pipeline.size(), "each stage has the digest of its model");
  std::string text =
      emit_config(config, [&](const Field& field, const Slot& slot, std::size_t index) -> std::optional<std::string> {
        if (field.affects != Affects::result) {
          return std::nullopt;
        }
        return field.key == "pipeline.ID.model" ? yaml_scalar(facts.model_digests[index]) : slot.write();
      });
  text += fmt::format("catalog: {}\n", yaml_scalar(facts.catalog_digest));
  for (const auto& [key, value] : facts.further) {
    text += fmt::format("{}: {}\n", yaml_scalar(key), yaml_scalar(value));
  }
  return text;
}

std::vector<std::string> diff_identity(const std::string& old_text, const std::string& new_text) {
  const Leaves before = flatten_yaml(old_text);
  const Leaves after = flatten_yaml(new_text);
  std::vector<std::string> lines;
  for (const auto& [key, value] : before) {
    const std::string* const now = find(after, key);
    if (now == nullptr || *now != value) {
      lines.push_back(fmt::format("{}: {} → {}", key, value, now == nullptr ? "(absent)" : *now));
    }
  }
  for (const auto& [key, value] : after) {
    if (find(before, key) == nullptr) {
      lines.push_back(fmt::format("{}: (absent) → {}", key, value));
    }
  }
  return lines;
}

}  // namespace pantile
