#include "config/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "config/load.hpp"

namespace pantile {
namespace {

constexpr std::string_view set_prefix = "--set ";

/// Names of variables have capitals and no hyphens: PANTILE__PIPELINE__UP_2X__MODEL means the stage `up-2x`.
std::string folded(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::tolower(c)); });
  return name;
}

/// One override: the text that the person wrote, which part of it is the key, and how its parts are told apart.
struct Override {
  std::shared_ptr<const ConfigSource> source;  ///< one line, KEY=VALUE behind a prefix
  std::size_t key = 0;                         ///< where KEY begins
  std::size_t equals = 0;
  std::string_view separator;
  bool folds = false;  ///< names are compared as those of variables

  [[nodiscard]] const std::string& line() const { return source->lines.front(); }
  [[nodiscard]] Place place(std::size_t begin, std::size_t end) const {
    return {source, 0, static_cast<int>(begin), static_cast<int>(end - begin)};
  }
  [[nodiscard]] bool same(const std::string& name, const std::string& wanted) const {
    return folds ? folded(name) == folded(wanted) : name == wanted;
  }
};

/// A list entry by position or by its `id`.
ConfigNode* find_item(const Override& override, ConfigNode& list, const std::string& name) {
  std::size_t at = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), at);
  if (error == std::errc{} && end == name.data() + name.size()) {
    return at < list.items.size() ? &list.items[at] : nullptr;
  }
  const auto found = std::find_if(list.items.begin(), list.items.end(), [&](const ConfigNode& item) {
    const ConfigNode* const id = item.find("id");
    return id != nullptr && override.same(id->text, name);
  });
  return found == list.items.end() ? nullptr : &*found;
}

/// One step of the path; makes the map or key that is missing. Null if a list has no such entry.
ConfigNode* step_into(const Override& override, ConfigNode& node, const std::string& name, const Place& place) {
  if (node.kind == ConfigNode::Kind::list) {
    return find_item(override, node, name);
  }
  if (node.kind != ConfigNode::Kind::map) {
    node = node_at(place);
    node.kind = ConfigNode::Kind::map;
  }
  const auto found = std::find_if(node.entries.begin(), node.entries.end(),
                                  [&](const ConfigEntry& entry) { return override.same(entry.key, name); });
  if (found != node.entries.end()) {
    return &found->value;
  }
  node.entries.push_back({override.folds ? folded(name) : name, place, node_at(place)});
  return &node.entries.back().value;
}

/// The node that the key names; null, with a diagnostic, if a list on the way has no such entry.
ConfigNode* find_target(const Override& override, ConfigNode& root, std::vector<Diagnostic>& diagnostics) {
  ConfigNode* node = &root;
  for (std::size_t begin = override.key; begin <= override.equals;) {
    const std::size_t end = std::min(override.line().find(override.separator, begin), override.equals);
    const std::string name = override.line().substr(begin, end - begin);
    node = step_into(override, *node, name, override.place(begin, end));
    if (node == nullptr) {
      diagnostics.emplace_back(Diagnostic{fmt::format("the list has no entry '{}'", name), override.place(begin, end),
                                          "entries are named by position, from 0, or by id"});
      return nullptr;
    }
    begin = end + override.separator.size();
  }
  return node;
}

void apply(const Override& override, ConfigNode& root, std::vector<Diagnostic>& diagnostics) {
  ConfigNode* const node = find_target(override, root, diagnostics);
  if (node != nullptr) {
    const std::size_t value = override.equals + 1;
    *node = parse_fragment(override.source, static_cast<int>(value), override.line().substr(value), diagnostics);
    if (node->kind == ConfigNode::Kind::null) {
      node->place = override.place(override.key, override.equals);
    }
  }
}

std::shared_ptr<const ConfigSource> source_of(const std::string& line, ConfigSource::Kind kind, std::size_t order) {
  return std::make_shared<const ConfigSource>(
      ConfigSource{.display = line, .lines = {line}, .kind = kind, .folder = {}, .order = order});
}

}  // namespace

void apply_set(ConfigNode& root, const std::string& set, std::size_t order, std::vector<Diagnostic>& diagnostics) {
  const auto source = source_of(std::string{set_prefix} + set, ConfigSource::Kind::set, order);
  const auto equals = set.find('=');
  const Override override{.source = source,
                          .key = set_prefix.size(),
                          .equals = set_prefix.size() + std::min(equals, set.size()),
                          .separator = ".",
                          .folds = false};
  if (equals == 0 || equals == std::string::npos) {
    diagnostics.emplace_back(Diagnostic{"--set needs KEY=VALUE",
                                        override.place(set_prefix.size(), set_prefix.size() + set.size()),
                                        "as in --set tiles.size=96"});
    return;
  }
  apply(override, root, diagnostics);
}

void apply_variables(ConfigNode& root, const Environment& environment, std::set<std::string>& used,
                     std::vector<Diagnostic>& diagnostics) {
  const std::string prefix = override_prefix;
  std::size_t order = 0;
  for (auto variable = environment.lower_bound(prefix);
       variable != environment.end() && variable->first.starts_with(prefix); ++variable) {
    const auto& [name, value] = *variable;
    apply({.source = source_of(fmt::format("{}={}", name, value), ConfigSource::Kind::environment, order++),
           .key = prefix.size(),
           .equals = name.size(),
           .separator = "__",
           .folds = true},
          root, diagnostics);
    used.insert(name);
  }
}

}  // namespace pantile
