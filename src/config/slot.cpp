#include "config/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/byte_size.hpp"
#include "config/scalars.hpp"
#include "config/suggest.hpp"

namespace pantile {
namespace {

using Text = std::optional<std::string>;

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

/// A slot of one scalar. `assign` takes the text if it is right; numbers must not stand in quotes.
enum class Quotes { allowed, refused };
Slot scalar(std::string type, Quotes quotes, std::function<bool(const std::string&)> assign,
            std::function<Text()> write) {
  auto read = [type, quotes, assign = std::move(assign)](const ConfigNode& node,
                                                         const std::filesystem::path&) -> std::optional<Misread> {
    const bool is_scalar = node.kind == ConfigNode::Kind::scalar;
    if (is_scalar && node.quoted && quotes == Quotes::refused) {
      return Misread{&node, fmt::format("expected {}, without quotes", type)};
    }
    if (!is_scalar || !assign(node.text)) {
      return Misread{&node, "expected " + type};
    }
    return std::nullopt;
  };
  return {.type = std::move(type), .read = std::move(read), .write = std::move(write), .entries = {}};
}

std::string flow_list(const std::vector<std::string>& texts) { return fmt::format("[{}]", fmt::join(texts, ", ")); }

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::optional<int> whole_number_in(const std::string& text, int low, int high) {
  const auto number = parse_whole_number(text);
  return number && *number >= low && *number <= high ? std::optional{static_cast<int>(*number)} : std::nullopt;
}

std::string whole_number_type(int low, int high) {
  return low == high ? std::to_string(low) : fmt::format("a whole number from {} to {}", low, high);
}

}  // namespace

bool is_identifier(std::string_view text) {
  const auto is_letter = [](unsigned char c) { return c < 0x80 && std::isalpha(c) != 0; };
  return !text.empty() && text.size() <= 64 && is_letter(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(),
                     [&](unsigned char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

namespace slot {

Slot identifier(std::string& value) {
  return scalar(
      identifier_type, Quotes::allowed,
      [&value](const std::string& text) {
        value = text;
        return is_identifier(text);
      },
      [&value]() -> Text { return yaml_scalar(value); });
}

Slot line(std::string& value) {
  return scalar(
      "a text of one line", Quotes::allowed,
      [&value](const std::string& text) {
        value = text;
        return !text.empty() && text.size() <= 200 && !has_control_characters(text);
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
    const bool typed = node.place.source != nullptr && node.place.source->from_command_line;
    const std::filesystem::path base = typed ? std::filesystem::current_path() : folder;
    value.resolved = (base / node.text).lexically_normal();
    value.written = typed ? value.resolved.string() : node.text;
    return std::nullopt;
  };
  return {.type = type,
          .read = std::move(read),
          .write = [&value]() -> Text { return yaml_scalar(value.written); },
          .entries = {}};
}

Slot texts(std::vector<std::string>& value, std::string type) {
  auto read = [&value, type](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    const std::vector<ConfigNode> single{node};
    if (node.kind != ConfigNode::Kind::list && node.kind != ConfigNode::Kind::scalar) {
      return Misread{&node, "expected " + type};
    }
    value.clear();
    for (const ConfigNode& item : node.kind == ConfigNode::Kind::list ? node.items : single) {
      if (item.kind != ConfigNode::Kind::scalar || item.text.empty()) {
        return Misread{node.kind == ConfigNode::Kind::list ? &item : &node, "expected " + type};
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
  return {.type = std::move(type), .read = std::move(read), .write = std::move(write), .entries = {}};
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
  return {.type = std::move(type), .read = std::move(read), .write = std::move(write), .entries = {}};
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
          .entries = {}};
}

Slot whole_number(int& value, int low, int high) {
  return scalar(
      whole_number_type(low, high), Quotes::refused,
      [&value, low, high](const std::string& text) {
        const auto number = whole_number_in(text, low, high);
        value = number.value_or(value);
        return number.has_value();
      },
      [&value]() -> Text { return std::to_string(value); });
}

Slot auto_or_whole_number(std::optional<int>& value, int low, int high) {
  return scalar(
      "auto, or " + whole_number_type(low, high), Quotes::refused,
      [&value, low, high](const std::string& text) {
        value = whole_number_in(text, low, high);
        return value.has_value() || text == "auto";
      },
      [&value]() -> Text { return value ? std::to_string(*value) : "auto"; });
}

Slot positive_ratio(Ratio& value) {
  return scalar(
      "a positive number or a/b", Quotes::refused,
      [&value](const std::string& text) {
        const auto ratio = parse_ratio(text);
        value = ratio.value_or(value);
        return ratio && ratio->numerator > 0 && ratio->denominator > 0;
      },
      [&value]() -> Text { return to_string(value); });
}

Slot ratios(std::vector<Ratio>& value, Zero zero) {
  const char* const type = zero == Zero::allowed ? "a number or a/b, or a list of them, one per channel"
                                                 : "a positive number or a/b, or a list of them, one per channel";
  auto read = [&value, type, zero](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    const bool is_list = node.kind == ConfigNode::Kind::list && !node.items.empty();
    std::vector<Ratio> found;
    for (std::size_t i = 0; i < (is_list ? node.items.size() : 1); ++i) {
      const ConfigNode& item = is_list ? node.items[i] : node;
      const auto ratio = item.kind == ConfigNode::Kind::scalar && !item.quoted ? parse_ratio(item.text) : std::nullopt;
      if (!ratio || (zero == Zero::refused && ratio->value() <= 0)) {
        return Misread{&item, fmt::format("expected {}", type)};
      }
      found.push_back(*ratio);
    }
    value = std::move(found);
    return std::nullopt;
  };
  auto write = [&value]() -> Text {
    std::vector<std::string> written;
    std::transform(value.begin(), value.end(), std::back_inserter(written),
                   [](const Ratio& r) { return to_string(r); });
    return written.size() == 1 ? written.front() : flow_list(written);
  };
  return {.type = type, .read = std::move(read), .write = std::move(write), .entries = {}};
}

Slot size(std::uint64_t& value, std::uint64_t low, std::uint64_t high) {
  return scalar(
      fmt::format("a size from {} to {}", size_text(low), size_text(high)), Quotes::allowed,
      [&value, low, high](const std::string& text) {
        const auto bytes = parse_size(text);
        value = bytes.value_or(value);
        return bytes && *bytes >= low && *bytes <= high;
      },
      [&value]() -> Text { return size_text(value); });
}

Slot pixels(std::uint64_t& value, std::uint64_t low, std::uint64_t high) {
  return scalar(
      fmt::format("a count of pixels from {} to {} (kP, MP, GP)", pixels_text(low), pixels_text(high)), Quotes::allowed,
      [&value, low, high](const std::string& text) {
        const auto pixels = parse_pixels(text);
        value = pixels.value_or(value);
        return pixels && *pixels >= low && *pixels <= high;
      },
      [&value]() -> Text { return pixels_text(value); });
}

Slot quarantine_limit(QuarantineLimit& value) {
  using Kind = QuarantineLimit::Kind;
  return scalar(
      "none, a count of items, or per cent of them: 1%", Quotes::refused,
      [&value](const std::string& text) {
        if (const auto percent = parse_percent(text)) {
          value = {.kind = Kind::percent, .percent = *percent};
          return *percent >= 0 && *percent <= 100;
        }
        const auto items = parse_whole_number(text);
        value = {.kind = items ? Kind::items : Kind::none, .items = static_cast<std::uint64_t>(items.value_or(0))};
        return text == "none" || (items && *items >= 0);
      },
      [&value]() -> Text {
        switch (value.kind) {
          case Kind::none: break;
          case Kind::items: return std::to_string(value.items);
          case Kind::percent: return fmt::format("{}%", value.percent);
        }
        return "none";
      });
}

Slot memory(MemoryAmount& value, std::uint64_t low) {
  return scalar(
      low == 0 ? "a size such as 1GiB, or per cent: 10%"
               : fmt::format("a size from {}, or per cent: 80%", size_text(low)),
      Quotes::allowed,
      [&value, low](const std::string& text) {
        if (const auto percent = parse_percent(text)) {
          value = {.kind = MemoryAmount::Kind::percent, .percent = *percent};
          return *percent <= 100 && (low == 0 ? *percent >= 0 : *percent > 0);
        }
        const auto bytes = parse_size(text);
        value = {.kind = MemoryAmount::Kind::bytes, .bytes = bytes.value_or(0)};
        return bytes && *bytes >= low && *bytes <= (std::uint64_t{1} << 50U);
      },
      [&value]() -> Text {
        return value.kind == MemoryAmount::Kind::bytes ? size_text(value.bytes) : fmt::format("{}%", value.percent);
      });
}

Slot auto_or_duration(std::optional<std::chrono::milliseconds>& value, std::chrono::milliseconds low,
                      std::chrono::milliseconds high) {
  return scalar(
      fmt::format("auto, or a time from {} to {} (ms, s, min, h)", duration_text(low), duration_text(high)),
      Quotes::allowed,
      [&value, low, high](const std::string& text) {
        value = parse_duration(text);
        return text == "auto" || (value && *value >= low && *value <= high);
      },
      [&value]() -> Text { return value ? duration_text(*value) : "auto"; });
}

Slot tile_size(TileSize& value) {
  constexpr int most = 65536;
  return scalar(
      fmt::format("auto, whole, or {}", whole_number_type(1, most)), Quotes::refused,
      [&value](const std::string& text) {
        const auto px = whole_number_in(text, 1, most);
        value = {.kind = px                ? TileSize::Kind::fixed
                         : text == "whole" ? TileSize::Kind::whole
                                           : TileSize::Kind::automatic,
                 .px = px.value_or(0)};
        return px || text == "whole" || text == "auto";
      },
      [&value]() -> Text {
        return value.kind == TileSize::Kind::fixed   ? std::to_string(value.px)
               : value.kind == TileSize::Kind::whole ? "whole"
                                                     : "auto";
      });
}

Slot choice_of(std::vector<std::string> names, std::function<void(std::size_t)> set,
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
  return {.type = one_of(names), .read = std::move(read), .write = std::move(write), .entries = {}};
}

}  // namespace slot
}  // namespace pantile
