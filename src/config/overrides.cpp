#include "config/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pantile {
namespace {

/// A list entry by position or by its `id`.
ConfigNode* find_item(ConfigNode& list, std::string_view name) {
  std::size_t at = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), at);
  if (error == std::errc{} && end == name.data() + name.size()) {
    return at < list.items.size() ? &list.items[at] : nullptr;
  }
  for (ConfigNode& item : list.items) {
    const ConfigNode* const id = item.find("id");
    if (id != nullptr && id->text == name) {
      return &item;
    }
  }
  return nullptr;
}

/// One step of a dotted path; makes the map or key that is missing. Null if a list has no such entry.
ConfigNode* step_into(ConfigNode& node, const std::string& name, const Place& place) {
  if (node.kind == ConfigNode::Kind::list) {
    return find_item(node, name);
  }
  if (node.kind != ConfigNode::Kind::map) {
    node = node_at(place);
    node.kind = ConfigNode::Kind::map;
  }
  ConfigNode* const found = node.find(name);
  if (found != nullptr) {
    return found;
  }
  node.entries.push_back({name, place, node_at(place)});
  return &node.entries.back().value;
}

constexpr std::string_view set_prefix = "--set ";

/// The node that the dotted `key` of a --set names; null, with a diagnostic, if a list on the way has no such entry.
ConfigNode* find_target(ConfigNode& root, const std::string& key, const std::shared_ptr<const ConfigSource>& source,
                        std::vector<Diagnostic>& diagnostics) {
  ConfigNode* node = &root;
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    const std::string name = key.substr(begin, end - begin);
    const Place place{source, 0, static_cast<int>(set_prefix.size() + begin), static_cast<int>(end - begin)};
    node = step_into(*node, name, place);
    if (node == nullptr) {
      diagnostics.emplace_back(Diagnostic{fmt::format("the list has no entry '{}'", name), place,
                                          "entries are named by position, from 0, or by id"});
      return nullptr;
    }
    begin = end + 1;
  }
  return node;
}

}  // namespace

void apply_set(ConfigNode& root, const std::string& set, std::size_t order, std::vector<Diagnostic>& diagnostics) {
  const std::string display = std::string{set_prefix} + set;
  const auto source = std::make_shared<const ConfigSource>(
      ConfigSource{.display = display, .lines = {display}, .from_command_line = true, .order = order});
  const auto first = static_cast<int>(set_prefix.size());
  const auto equals = set.find('=');
  if (equals == 0 || equals == std::string::npos) {
    Place whole{source, 0, first, static_cast<int>(set.size())};
    diagnostics.emplace_back(Diagnostic{"--set needs KEY=VALUE", std::move(whole), "as in --set tiles.size=96"});
    return;
  }
  ConfigNode* const node = find_target(root, set.substr(0, equals), source, diagnostics);
  if (node != nullptr) {
    *node = parse_fragment(source, first + static_cast<int>(equals) + 1, set.substr(equals + 1), diagnostics);
    if (node->kind == ConfigNode::Kind::null) {
      node->place = {source, 0, first, static_cast<int>(equals)};
    }
  }
}

}  // namespace pantile
