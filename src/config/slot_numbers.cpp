#include <fmt/format.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "config/scalars.hpp"
#include "config/schema_parts.hpp"
#include "config/slot.hpp"
#include "config/slot_parts.hpp"

namespace pantile {
namespace {

std::optional<int> whole_number_in(const std::string& text, int low, int high) {
  const auto number = parse_whole_number(text);
  return number && *number >= low && *number <= high ? std::optional{static_cast<int>(*number)} : std::nullopt;
}

std::string whole_number_type(int low, int high) {
  return low == high ? std::to_string(low) : fmt::format("a whole number from {} to {}", low, high);
}

bool is_positive(const Ratio& ratio) { return ratio.numerator > 0 && ratio.denominator > 0; }

constexpr std::uint64_t most_memory = std::uint64_t{1} << 50U;
constexpr int most_parts = 100'000;
constexpr std::int64_t most_items = std::int64_t{1} << 50;

}  // namespace

namespace slot {

Slot whole_number(int& value, int low, int high) {
  return scalar(
      whole_number_type(low, high), schema::integer(low, high), Quotes::refused,
      [&value, low, high](const std::string& text) {
        const auto number = whole_number_in(text, low, high);
        value = number.value_or(value);
        return number.has_value();
      },
      [&value]() -> Text { return std::to_string(value); });
}

Slot auto_or_whole_number(std::optional<int>& value, int low, int high) {
  return scalar(
      "auto, or " + whole_number_type(low, high),
      schema::any_of({schema::one_of({"auto"}), schema::integer(low, high)}), Quotes::refused,
      [&value, low, high](const std::string& text) {
        value = whole_number_in(text, low, high);
        return value.has_value() || text == "auto";
      },
      [&value]() -> Text { return value ? std::to_string(*value) : "auto"; });
}

Slot positive_ratio(Ratio& value) {
  return scalar(
      "a positive number or a/b",
      schema::any_of({schema::positive_number(), schema::matching(schema::positive_ratio_pattern())}), Quotes::refused,
      [&value](const std::string& text) {
        const auto ratio = parse_ratio(text);
        value = ratio.value_or(value);
        return ratio && is_positive(*ratio);
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
      const auto ratio =
          item.kind == ConfigNode::Kind::scalar && !is_quoted_number(item) ? parse_ratio(item.text) : std::nullopt;
      if (!ratio || (zero == Zero::refused && !is_positive(*ratio))) {
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
  const std::string one =
      zero == Zero::allowed
          ? schema::any_of({schema::number(), schema::matching(schema::ratio_pattern())})
          : schema::any_of({schema::positive_number(), schema::matching(schema::positive_ratio_pattern())});
  return {.type = type,
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = schema::any_of({one, schema::array_of(one, 1)})};
}

Slot size(std::uint64_t& value, std::uint64_t low, std::uint64_t high) {
  return scalar(
      fmt::format("a size from {} to {}", size_text(low), size_text(high)),
      schema::any_of({schema::number_in(low, high), schema::matching(schema::size_pattern())}), Quotes::refused,
      [&value, low, high](const std::string& text) {
        const auto bytes = parse_size(text);
        value = bytes.value_or(value);
        return bytes && *bytes >= low && *bytes <= high;
      },
      [&value]() -> Text { return size_text(value); });
}

Slot pixels(std::uint64_t& value, std::uint64_t low, std::uint64_t high) {
  return scalar(
      fmt::format("a count of pixels from {} to {} (kP, MP, GP)", pixels_text(low), pixels_text(high)),
      schema::any_of({schema::number_in(low, high), schema::matching(schema::pixels_pattern())}), Quotes::refused,
      [&value, low, high](const std::string& text) {
        const auto pixels = parse_pixels(text);
        value = pixels.value_or(value);
        return pixels && *pixels >= low && *pixels <= high;
      },
      [&value]() -> Text { return pixels_text(value); });
}

Slot part(Part& value) {
  return scalar(
      fmt::format("all, or K/N with K from 1 to N, N up to {}", most_parts),
      schema::any_of({schema::one_of({"all"}), schema::matching("[1-9][0-9]*/[1-9][0-9]*")}), Quotes::refused,
      [&value](const std::string& text) {
        const auto slash = text.find('/');
        const auto count =
            slash == std::string::npos ? std::nullopt : whole_number_in(text.substr(slash + 1), 1, most_parts);
        const auto number = count ? whole_number_in(text.substr(0, slash), 1, *count) : std::nullopt;
        value = number ? Part{*number, *count} : Part{};
        return number || text == "all";
      },
      [&value]() -> Text { return value == Part{} ? "all" : fmt::format("{}/{}", value.number, value.count); });
}

Slot quarantine_limit(QuarantineLimit& value) {
  using Kind = QuarantineLimit::Kind;
  return scalar(
      "none, a count of items, or up to 100% of them",
      schema::any_of(
          {schema::one_of({"none"}), schema::integer(0, most_items), schema::matching(schema::percent_pattern(true))}),
      Quotes::refused,
      [&value](const std::string& text) {
        if (const auto percent = parse_percent(text)) {
          value = {.kind = Kind::percent, .percent = *percent};
          return *percent >= 0 && *percent <= 100;
        }
        const auto items = parse_whole_number(text);
        value = {.kind = items ? Kind::items : Kind::none, .items = static_cast<std::uint64_t>(items.value_or(0))};
        return text == "none" || (items && *items >= 0 && *items <= most_items);
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

namespace {

std::string memory_type(std::uint64_t low) {
  return low == 0 ? "a size such as 1GiB, or up to 100%" : fmt::format("a size from {}, or up to 100%", size_text(low));
}

std::vector<std::string> memory_schema(std::uint64_t low) {
  return {schema::number_in(low, most_memory), schema::matching(schema::size_pattern()),
          schema::matching(schema::percent_pattern(low == 0))};
}

std::optional<MemoryAmount> parse_memory(const std::string& text, std::uint64_t low) {
  if (const auto percent = parse_percent(text)) {
    const bool is_right = *percent <= 100 && (low == 0 ? *percent >= 0 : *percent > 0);
    return is_right ? std::optional{MemoryAmount{.kind = MemoryAmount::Kind::percent, .percent = *percent}}
                    : std::nullopt;
  }
  const auto bytes = parse_size(text);
  return bytes && *bytes >= low && *bytes <= most_memory
             ? std::optional{MemoryAmount{.kind = MemoryAmount::Kind::bytes, .bytes = *bytes}}
             : std::nullopt;
}

std::string memory_text(const MemoryAmount& amount) {
  return amount.kind == MemoryAmount::Kind::bytes ? size_text(amount.bytes) : fmt::format("{}%", amount.percent);
}

}  // namespace

Slot memory(MemoryAmount& value, std::uint64_t low) {
  return scalar(
      memory_type(low), schema::any_of(memory_schema(low)), Quotes::refused,
      [&value, low](const std::string& text) {
        const auto amount = parse_memory(text, low);
        value = amount.value_or(value);
        return amount.has_value();
      },
      [&value]() -> Text { return memory_text(value); });
}

Slot optional_memory(std::optional<MemoryAmount>& value, std::uint64_t low) {
  std::vector<std::string> schema = memory_schema(low);
  schema.insert(schema.begin(), schema::one_of({"auto"}));
  return scalar(
      "auto, or " + memory_type(low), schema::any_of(schema), Quotes::refused,
      [&value, low](const std::string& text) {
        value = parse_memory(text, low);
        return value.has_value() || text == "auto";
      },
      [&value]() -> Text { return value ? memory_text(*value) : "auto"; });
}

Slot memory_by_name(std::map<std::string, MemoryAmount>& value, std::uint64_t low) {
  std::string type = "a map from names of devices, such as node1:cpu0, each to " + memory_type(low);
  auto read = [&value, low, type](const ConfigNode& node, const std::filesystem::path&) -> std::optional<Misread> {
    value.clear();
    if (node.kind != ConfigNode::Kind::map) {
      return Misread{&node, "expected " + type};
    }
    for (const ConfigEntry& entry : node.entries) {
      const auto amount = entry.value.kind == ConfigNode::Kind::scalar && !is_quoted_number(entry.value)
                              ? parse_memory(entry.value.text, low)
                              : std::nullopt;
      if (!amount) {
        return Misread{&entry.value, "expected " + memory_type(low)};
      }
      value.emplace(entry.key, *amount);
    }
    return std::nullopt;
  };
  auto write = [&value]() -> Text {
    std::vector<std::string> entries;
    for (const auto& [name, amount] : value) {
      entries.push_back(fmt::format("{}: {}", yaml_scalar(name), memory_text(amount)));
    }
    return fmt::format("{{{}}}", fmt::join(entries, ", "));
  };
  return {.type = std::move(type),
          .read = std::move(read),
          .write = std::move(write),
          .entries = {},
          .schema = schema::map_of(schema::any_of(memory_schema(low)))};
}

Slot duration(std::chrono::milliseconds& value, std::chrono::milliseconds low, std::chrono::milliseconds high) {
  return scalar(
      fmt::format("a time from {} to {} (ms, s, min, h)", duration_text(low), duration_text(high)),
      schema::matching(schema::duration_pattern()), Quotes::allowed,
      [&value, low, high](const std::string& text) {
        const auto duration = parse_duration(text);
        value = duration.value_or(value);
        return duration && *duration >= low && *duration <= high;
      },
      [&value]() -> Text { return duration_text(value); });
}

Slot auto_or_duration(std::optional<std::chrono::milliseconds>& value, std::chrono::milliseconds low,
                      std::chrono::milliseconds high) {
  return scalar(
      fmt::format("auto, or a time from {} to {} (ms, s, min, h)", duration_text(low), duration_text(high)),
      schema::any_of({schema::one_of({"auto"}), schema::matching(schema::duration_pattern())}), Quotes::allowed,
      [&value, low, high](const std::string& text) {
        value = parse_duration(text);
        return text == "auto" || (value && *value >= low && *value <= high);
      },
      [&value]() -> Text { return value ? duration_text(*value) : "auto"; });
}

Slot tile_size(TileSize& value) {
  constexpr int most = 65536;
  return scalar(
      fmt::format("auto, whole, or {}", whole_number_type(1, most)),
      schema::any_of({schema::one_of({"auto", "whole"}), schema::integer(1, most)}), Quotes::refused,
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

}  // namespace slot
}  // namespace pantile
