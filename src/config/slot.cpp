#include "config/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "config/glob_syntax.hpp"
#include "config/scalars.hpp"
#include "config/schema_parts.hpp"
#include "config/slot_parts.hpp"
#include "config/suggest.hpp"

namespace pantile {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string one_of(const std::vector<std::string>& names) {
  if (names.size() < 2) {
    return names.empty() ? "" : names.front();
  }
  return fmt::format("{} or {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

/// "did you mean 'gray'?" before what is allowed. Wrong case is the nearest miss of all.
std::string choice_hint(const std::string& wrong, const std::vector<std::string>& names) {
  std::string hint;
  for (const std::string& name : names) {
    if (lower(name) == lower(wrong)) {
      hint = did_you_mean({name});
    }
  }
  if (hint.empty()) {
    hint = did_you_mean(similar_names(wrong, names));
  }
  return (hint.empty() ? "" : hint + " ") + "expected " + one_of(names);
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

}  // namespace

bool is_identifier(std::string_view text) {
  const auto is_letter = [](unsigned char c) { return c < 0x80 && std::isalpha(c) != 0; };
  return !text.empty() && text.size() <= 64 && is_letter(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(),
                     [&](unsigned char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

namespace slot {
namespace {

constexpr std::size_t longest_line = 200;

}  // namespace

bool is_quoted_number(const ConfigNode& node) { return node.quoted && parse_number(node.text).has_value(); }

Slot scalar(std::string type, std::string schema, Quotes quotes, std::function<bool(const std::string&)> assign,
            std::function<Text()> write) {
  auto read = [type, quotes, assign = std::move(assign)](const ConfigNode& node,
                                                         const std::filesystem::path&) -> std::optional<Misread> {
    const bool is_scalar = node.kind == ConfigNode::Kind::scalar;
    if (is_scalar && is_quoted_number(node) && quotes == Quotes::refused) {
      return Misread{&node, fmt::format("expected {}, without quotes", type)};
    }
    if (!is_scalar || !assign(node.text)) {
      return Misread{&node, "expected " + type};
    }
    return std::nullopt;
  };
  return {.type = std::move(type),
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = std::move(schema)};
}

std::string flow_list(const std::vector<std::string>& texts) { return fmt::format("[{}]", fmt::join(texts, ", ")); }

Slot identifier(std::string& value) {
  return scalar(
      identifier_type, schema::identifier(), Quotes::allowed,
      [&value](const std::string& text) {
        value = text;
        return is_identifier(text);
      },
      [&value]() -> Text { return yaml_scalar(value); });
}

Slot line(std::string& value) {
  return scalar(
      "a text of one line", schema::text(longest_line), Quotes::allowed,
      [&value](const std::string& text) {
        value = text;
        return !text.empty() && text.size() <= longest_line && !has_control_characters(text);
      },
      [&value]() -> Text { return yaml_scalar(value); });
}

Slot path(ConfigPath& value) {
  const char* const type = "a path";
  auto read = [&value, type](const ConfigNode& node, const std::filesystem::path& folder) -> std::optional<Misread> {
    if (node.kind != ConfigNode::Kind::scalar || node.text.empty() || has_control_characters(node.text)) {
      return Misread{&node, fmt::format("expected {}", type)};
    }
    if (node.text.starts_with("~/") || node.text == "~") {
      return Misread{&node, "'~' stands for nothing here: write the whole path"};
    }
    const ConfigSource* const source = node.place.source.get();
    const bool in_file = source == nullptr || source->kind == ConfigSource::Kind::file;
    const bool has_folder = in_file && source != nullptr && !source->folder.empty();
    const std::filesystem::path base = !in_file     ? std::filesystem::current_path()
                                       : has_folder ? source->folder
                                                    : folder;
    value.resolved = (base / node.text).lexically_normal();
    // Of an included file: as the job itself would write it, so that both may move together.
    value.written = !in_file ? value.resolved.string()
                    : base == folder || std::filesystem::path{node.text}.is_absolute()
                        ? node.text
                        : value.resolved.lexically_relative(folder).string();
    return std::nullopt;
  };
  return {.type = type,
          .read = std::move(read),
          .write = [&value]() -> Text { return yaml_scalar(value.written); },
          .entries = {},
          .schema = schema::path()};
}

Slot included_files() {
  return {.type = "a path, or a list of them",
          .read = [](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
            return Misread{&node, "only a file can include another"};
          },
          .write = []() -> Text { return std::nullopt; },
          .entries = {},
          .schema = schema::any_of({schema::path(), schema::array_of(schema::path(), 0)})};
}

Slot globs(std::vector<std::string>& value) {
  const char* const type = "a glob, or a list of them";
  auto read = [&value, type](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    const std::vector<ConfigNode> single{node};
    if (node.kind != ConfigNode::Kind::list && node.kind != ConfigNode::Kind::scalar) {
      return Misread{&node, fmt::format("expected {}", type)};
    }
    value.clear();
    for (const ConfigNode& item : node.kind == ConfigNode::Kind::list ? node.items : single) {
      if (item.kind != ConfigNode::Kind::scalar || item.text.empty()) {
        return Misread{node.kind == ConfigNode::Kind::list ? &item : &node, fmt::format("expected {}", type)};
      }
      if (const auto mistake = glob_mistake(item.text)) {
        return Misread{node.kind == ConfigNode::Kind::list ? &item : &node, *mistake};
      }
      value.push_back(item.text);
    }
    return std::nullopt;
  };
  auto write = [&value]() -> Text {
    std::vector<std::string> quoted;
    std::transform(value.begin(), value.end(), std::back_inserter(quoted), yaml_scalar);
    return flow_list(quoted);
  };
  return {.type = type,
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = schema::any_of({schema::text(longest_glob), schema::array_of(schema::text(longest_glob), 0)})};
}

Slot auto_or_list(std::vector<std::string>& value, std::vector<std::string> choices) {
  std::string type = fmt::format("auto, or a list of: {}", fmt::join(choices, ", "));
  auto read = [&value, type, choices](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    value.clear();
    if (node.kind == ConfigNode::Kind::scalar && node.text == "auto") {
      return std::nullopt;
    }
    if (node.kind != ConfigNode::Kind::list || node.items.empty()) {
      return Misread{&node, "expected " + type};
    }
    for (const ConfigNode& item : node.items) {
      if (std::find(choices.begin(), choices.end(), item.text) == choices.end()) {
        return Misread{&item, choice_hint(item.text, choices)};
      }
      if (std::find(value.begin(), value.end(), item.text) != value.end()) {
        return Misread{&item, "given twice"};
      }
      value.push_back(item.text);
    }
    return std::nullopt;
  };
  auto write = [&value]() -> Text { return value.empty() ? "auto" : flow_list(value); };
  return {.type = std::move(type),
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = schema::any_of({schema::one_of({"auto"}), schema::array_of(schema::one_of(choices), 1, true)})};
}

Slot boolean(bool& value) {
  auto read = [&value](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    if (node.kind != ConfigNode::Kind::scalar || node.quoted || (node.text != "true" && node.text != "false")) {
      return Misread{&node, node.quoted ? "write true or false, without quotes" : "write true or false"};
    }
    value = node.text == "true";
    return std::nullopt;
  };
  return {.type = "true or false",
          .read = std::move(read),
          .write = [&value]() -> Text { return value ? "true" : "false"; },
          .entries = {},
          .schema = schema::boolean()};
}

Slot choice_of(const std::vector<std::string>& names, std::function<void(std::size_t)> set,
               std::function<std::optional<std::size_t>()> get) {
  auto read = [names, set = std::move(set)](const ConfigNode& node,
                                            const std::filesystem::path&) -> std::optional<Misread> {
    const auto found = std::find(names.begin(), names.end(), node.text);
    if (node.kind != ConfigNode::Kind::scalar || found == names.end()) {
      return Misread{&node, choice_hint(node.text, names)};
    }
    set(static_cast<std::size_t>(found - names.begin()));
    return std::nullopt;
  };
  auto write = [names, get = std::move(get)]() -> Text {
    const auto at = get();
    return at ? std::optional{yaml_scalar(names[*at])} : std::nullopt;
  };
  return {.type = one_of(names),
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = schema::one_of(names)};
}

}  // namespace slot
}  // namespace pantile
