#include "config/binder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/fields.hpp"
#include "config/suggest.hpp"

namespace pantile {
namespace {

std::string joined(std::string_view path, std::string_view name) {
  return path.empty() ? std::string{name} : fmt::format("{}.{}", path, name);
}

bool is_broken(const ConfigNode& node) {
  return node.broken || std::any_of(node.items.begin(), node.items.end(), is_broken);
}

std::vector<std::string> variables_in(const ConfigNode& node) {
  std::vector<std::string> names = node.variables;
  for (const ConfigNode& item : node.items) {
    const std::vector<std::string> below = variables_in(item);
    names.insert(names.end(), below.begin(), below.end());
  }
  return names;
}

/// Walks the tree of the text along the tree of keys, and fills the config. Collects every mistake on the way.
class Binder {
 public:
  Binder(RunConfig& config, std::vector<Diagnostic>& diagnostics) : config_{config}, diagnostics_{diagnostics} {}

  GivenValues bind(const ConfigNode& root) {
    const Place file{root.place.source, -1, 0, 0};
    bind_group(config_keys(), &root, "", 0, file);
    fill_in(file);
    check_together();
    return std::move(given_);
  }

 private:
  void complain(std::string message, const Place& place, std::string hint = "") {
    diagnostics_.push_back({std::move(message), place, std::move(hint)});
  }

  /// `place`: where to point if something is missing.
  void bind_key(const KeyTree& keys, const ConfigNode* node, const std::string& path, std::size_t index,
                const Place& place) {
    if (keys.children.empty()) {
      bind_value(*keys.field, node, path, index, place);
    } else if (keys.field != nullptr) {
      bind_entries(keys, node, path, place);
    } else {
      bind_group(keys, node, path, index, place);
    }
  }

  void bind_group(const KeyTree& keys, const ConfigNode* node, const std::string& path, std::size_t index,
                  const Place& place) {
    if (node != nullptr && node->broken) {
      return;
    }
    if (node != nullptr && node->kind != ConfigNode::Kind::map && node->kind != ConfigNode::Kind::null) {
      complain(fmt::format("'{}' cannot be {}", path, said(*node)), node->place,
               fmt::format("expected a map with: {}", fmt::join(keys.child_names(), ", ")));
      return;
    }
    if (node != nullptr) {
      for (const ConfigEntry& entry : node->entries) {
        const KeyTree* const key = keys.child(entry.key);
        if (key == nullptr) {
          complain(fmt::format("unknown key '{}'", joined(path, entry.key)), entry.place,
                   hint_for_unknown(keys, entry.key));
        } else {
          bind_key(*key, &entry.value, joined(path, entry.key), index, entry.place);
        }
      }
    }
    for (const KeyTree& key : keys.children) {
      if (node == nullptr || node->find(key.name) == nullptr) {
        bind_key(key, nullptr, joined(path, key.name), index, place);
      }
    }
  }

  void bind_value(const Field& field, const ConfigNode* node, const std::string& path, std::size_t index,
                  const Place& place) {
    if (node == nullptr) {
      if (field.need == Need::required) {
        complain(fmt::format("missing key '{}'", path), place, std::string{field.doc});
      }
      return;
    }
    given_[path] = {node->place, variables_in(*node)};
    if (is_broken(*node)) {
      return;
    }
    const auto misread = field.slot(config_, index).read(*node, config_.folder);
    if (misread) {
      complain(fmt::format("'{}' cannot be {}", path, said(*misread->at)), misread->at->place, misread->hint);
    }
  }

  void bind_entries(const KeyTree& keys, const ConfigNode* node, const std::string& path, const Place& place) {
    const Slot slot = keys.field->slot(config_, 0);
    const Entries& entries = *slot.entries;
    if (node == nullptr) {
      if (keys.field->need == Need::required) {
        complain(fmt::format("missing key '{}'", path), place, std::string{keys.field->doc});
      }
      return;
    }
    if (node->broken) {
      return;
    }
    const auto wanted = entries.named ? ConfigNode::Kind::map : ConfigNode::Kind::list;
    if (node->kind != wanted) {
      complain(fmt::format("'{}' cannot be {}", path, said(*node)), node->place,
               entries.named ? "expected a map: {NAME: {…}}" : "expected a list: [{…}]");
      return;
    }
    const std::size_t count = entries.named ? node->entries.size() : node->items.size();
    if (count < entries.at_least || (entries.at_most != 0 && count > entries.at_most)) {
      complain(fmt::format("'{}' has {} entries", path, count), node->place,
               fmt::format("expected {} {}", entries.at_most == entries.at_least ? "exactly" : "at least",
                           entries.at_least));
    }
    entries.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      entries.named ? bind_named(keys, node->entries[i], entries, path, i) : bind_item(keys, node->items[i], path, i);
    }
  }

  void bind_item(const KeyTree& keys, const ConfigNode& item, const std::string& path, std::size_t i) {
    const ConfigNode* const id = item.find("id");
    const std::string name = id != nullptr && is_identifier(id->text) ? id->text : std::to_string(i);
    bind_group(keys.children.front(), &item, joined(path, name), i, item.place);
  }

  void bind_named(const KeyTree& keys, const ConfigEntry& entry, const Entries& entries, const std::string& path,
                  std::size_t i) {
    if (!is_identifier(entry.key)) {
      complain(fmt::format("'{}' cannot be a name in '{}'", entry.key, path), entry.place,
               fmt::format("expected {}", identifier_type));
    }
    entries.name(i) = entry.key;
    bind_group(keys.children.front(), &entry.value, joined(path, entry.key), i, entry.place);
  }

  /// The nearest sibling; else a key of that name elsewhere ("shard_size" at the top: "output.shard_size").
  static std::string hint_for_unknown(const KeyTree& keys, const std::string& name) {
    std::string near = did_you_mean(similar_names(name, keys.child_names()));
    if (!near.empty()) {
      return near;
    }
    std::vector<std::string> elsewhere;
    for (const Field& field : config_fields()) {
      if (field.key.ends_with("." + name)) {
        elsewhere.emplace_back(field.key);
      }
    }
    elsewhere.resize(std::min<std::size_t>(2, elsewhere.size()));
    return elsewhere.empty() ? fmt::format("known here: {}", fmt::join(keys.child_names(), ", "))
                             : did_you_mean(elsewhere);
  }

  /// Defaults that depend on other values.
  void fill_in(const Place& file) {
    if (config_.name.empty() && file.source != nullptr) {
      config_.name = std::filesystem::path{file.source->display}.stem().string();
    }
    for (StageConfig& stage : config_.pipeline) {
      if (!given_.contains(fmt::format("pipeline.{}.output.scale", stage.id))) {
        stage.output.scale = stage.image.scale.inverse();
      }
    }
    if (config_.outputs.empty() && !config_.pipeline.empty()) {
      config_.outputs.push_back({.name = "image", .from = config_.pipeline.back().id});
    }
  }

  /// What no key can tell alone.
  void check_together() {
    std::vector<std::string> ids;
    for (const StageConfig& stage : config_.pipeline) {
      ids.push_back(stage.id);
      check_channels(stage, "mean", stage.image.mean.size());
      check_channels(stage, "std", stage.image.deviation.size());
    }
    for (const OutputConfig& output : config_.outputs) {
      const auto place = given_.find(fmt::format("outputs.{}.from", output.name));
      if (place != given_.end() && is_identifier(output.from) &&
          std::find(ids.begin(), ids.end(), output.from) == ids.end()) {
        const std::string near = did_you_mean(similar_names(output.from, ids));
        complain(fmt::format("there is no stage '{}'", output.from), place->second.place,
                 near.empty() ? fmt::format("stages: {}", fmt::join(ids, ", ")) : near);
      }
    }
  }

  void check_channels(const StageConfig& stage, const char* key, std::size_t count) {
    const auto place = given_.find(fmt::format("pipeline.{}.image.{}", stage.id, key));
    const auto channels = static_cast<std::size_t>(stage.image.channels());
    if (place != given_.end() && count != 1 && count != channels) {
      complain(fmt::format("'{}' has {} values", place->first, count), place->second.place,
               fmt::format("expected 1 or one per channel: {}", channels));
    }
  }

  RunConfig& config_;
  std::vector<Diagnostic>& diagnostics_;
  GivenValues given_;
};

}  // namespace

std::string said(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null: return "empty";
    case ConfigNode::Kind::list: return "a list";
    case ConfigNode::Kind::map: return "a map";
    case ConfigNode::Kind::scalar: break;
  }
  std::string text = node.text;  // A variable may hold anything, what moves a terminal's cursor too.
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return fmt::format("'{}'", text);
}

GivenValues bind_config(RunConfig& config, const ConfigNode& root, std::vector<Diagnostic>& diagnostics) {
  return Binder{config, diagnostics}.bind(root);
}

}  // namespace pantile
