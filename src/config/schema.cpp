#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/fields.hpp"
#include "config/include.hpp"
#include "config/schema_parts.hpp"

namespace pantile {
namespace {

using Json = nlohmann::ordered_json;

/// The text of a default as JSON: `[]` and `2` are what they are, `1/255` and `auto` are strings.
Json default_of(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

std::string description_of(const Field& field) {
  const std::string fallback = field.default_note.empty() ? "" : fmt::format(" Default: {}.", field.default_note);
  return fmt::format("{}{} Affects the {}.", field.doc, fallback,
                     field.affects == Affects::result ? "result" : "execution only");
}

class Builder {
 public:
  Builder() {
    defaults_.input.resize(1);
    defaults_.pipeline.resize(1);
    defaults_.outputs.resize(1);
  }

  /// `requires_all`: no other file can give a key that is not here.
  Json group(const KeyTree& keys, bool requires_all) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const KeyTree& key : keys.children) {
      properties[key.name] = any(key, requires_all);
      if (requires_all && is_required(key)) {
        required.push_back(key.name);
      }
    }
    // A key with nothing behind it is a group without keys.
    Json part{{"type", required.empty() ? Json({"object", "null"}) : Json("object")},
              {"properties", std::move(properties)},
              {"additionalProperties", false}};
    if (!required.empty()) {
      part["required"] = std::move(required);
    }
    return part;
  }

  /// Only what a whole job needs more than a part of one: laid over the schema of a part.
  Json missing_in_part(const KeyTree& keys) {
    Json part = Json::object();
    Json required = Json::array();
    Json properties = Json::object();
    for (const KeyTree& key : keys.children) {
      if (is_required(key)) {
        required.push_back(key.name);
      }
      const bool is_list = key.field != nullptr && !key.children.empty();
      Json below = is_list ? Json::object() : missing_in_part(key);
      const auto map = is_list ? key.field->slot(defaults_, 0).entries : std::nullopt;
      if (map && map->named) {
        below = {{"type", "object"},
                 {"additionalProperties", missing_in_part(key.children.front())},
                 {"minProperties", map->at_least}};
      }
      if (!below.empty()) {
        properties[key.name] = std::move(below);
      }
    }
    if (!required.empty()) {
      part["type"] = "object";
      part["required"] = std::move(required);
    }
    if (!properties.empty()) {
      part["properties"] = std::move(properties);
    }
    return part;
  }

 private:
  static bool is_required(const KeyTree& key) {
    if (key.field != nullptr) {
      return key.field->need == Need::required;
    }
    return std::any_of(key.children.begin(), key.children.end(), is_required);
  }

  Json any(const KeyTree& key, bool requires_all) {
    if (key.field == nullptr) {
      return group(key, requires_all);
    }
    const Slot slot = key.field->slot(defaults_, 0);
    Json part =
        slot.entries ? entries(*slot.entries, key.children.front()) : Json::parse(schema::or_variable(slot.schema));
    part["description"] = description_of(*key.field);
    const auto written = slot.entries || key.field->need == Need::required ? std::nullopt : slot.write();
    if (written && key.field->default_note.empty()) {
      part["default"] = default_of(*written);
    }
    return part;
  }

  Json entries(const Entries& entries, const KeyTree& entry) {
    if (!entries.named) {
      // A list replaces the one below it, so that each entry is whole in every file.
      Json part{{"type", "array"}, {"items", group(entry, true)}, {"minItems", entries.at_least}};
      if (entries.at_most != 0) {
        part["maxItems"] = entries.at_most;
      }
      return part;
    }
    Json part{
        {"type", {"object", "null"}},
        {"additionalProperties", group(entry, false)},
        {"propertyNames",
         {{"pattern", fmt::format("^{}$", schema::identifier_pattern)}, {"maxLength", schema::identifier_length}}}};
    if (entries.at_most != 0) {
      part["maxProperties"] = entries.at_most;
    }
    return part;
  }

  RunConfig defaults_;  ///< slots point into it
};

}  // namespace

std::string config_schema(SchemaOf which) {
  Builder builder;
  Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", which == SchemaOf::job ? "Pantile job" : "Part of a Pantile job, to be included"},
            {"description", "Made by pantile config schema. Values may hold ${NAME} or ${NAME:-default}."}};
  root.update(builder.group(config_keys(), false));
  root["type"] = "object";
  if (which == SchemaOf::job) {
    root["if"] = {{"required", {include_key}}};
    root["else"] = builder.missing_in_part(config_keys());
  } else {
    root["type"] = {"object", "null"};
  }
  root["$defs"] = Json::parse(schema::definitions());
  return root.dump(2) + "\n";
}

}  // namespace pantile
