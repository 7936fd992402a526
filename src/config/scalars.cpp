#include "config/scalars.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "010" is eight to YAML 1.1 and ten to a person, so it is nothing to us.
bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
  }
  return text.size() > 1 && text[0] == '0' && is_digit(text[1]);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  while (text.ends_with(' ')) {
    text.remove_suffix(1);
  }
  return text;
}

/// The leading part that is a number; what is behind it is the unit.
std::size_t number_length(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789.");
  return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

std::string to_string(const Ratio& ratio) {
  return ratio.denominator == 1 ? fmt::format("{}", ratio.numerator)
                                : fmt::format("{}/{}", ratio.numerator, ratio.denominator);
}

std::optional<std::int64_t> parse_whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || has_leading_zero(text)) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || has_leading_zero(text) || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<Ratio> parse_ratio(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    const auto value = parse_number(text);
    return value ? std::optional{Ratio{*value, 1}} : std::nullopt;
  }
  const auto numerator = parse_number(trimmed(text.substr(0, slash)));
  const auto denominator = parse_number(trimmed(text.substr(slash + 1)));
  if (!numerator || !denominator || *denominator == 0) {
    return std::nullopt;
  }
  return Ratio{*numerator, *denominator};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return text.empty() || !is_digit(text[0]) || has_leading_zero(text) ? std::nullopt : parse_byte_size(text);
}

std::optional<std::uint64_t> parse_pixels(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 4> units{
      {{"", 1}, {"kP", 1e3}, {"MP", 1e6}, {"GP", 1e9}}};
  const std::size_t length = number_length(text);
  const auto value = parse_number(text.substr(0, length));
  const std::string_view unit = trimmed(text.substr(length));
  for (const auto& [name, pixels] : units) {
    if (value && unit == name && *value * pixels < 1e15) {
      return static_cast<std::uint64_t>(std::llround(*value * pixels));
    }
  }
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 4> units{
      {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}}};
  const std::size_t length = number_length(text);
  const auto value = parse_number(text.substr(0, length));
  const std::string_view unit = trimmed(text.substr(length));
  for (const auto& [name, milliseconds] : units) {
    if (value && unit == name && *value * milliseconds < 1e15) {
      return std::chrono::milliseconds{std::llround(*value * milliseconds)};
    }
  }
  return std::nullopt;
}

std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  text.remove_suffix(1);
  text = trimmed(text);
  return number_length(text) == text.size() ? parse_number(text) : std::nullopt;
}

std::string size_text(std::uint64_t bytes) {
  for (const auto& [factor, unit] :
       {std::pair{TiB, "TiB"}, std::pair{GiB, "GiB"}, std::pair{MiB, "MiB"}, std::pair{KiB, "KiB"}}) {
    if (bytes >= factor && bytes % factor == 0) {
      return fmt::format("{}{}", bytes / factor, unit);
    }
  }
  return fmt::format("{}B", bytes);
}

std::string pixels_text(std::uint64_t pixels) {
  for (const auto& [factor, unit] : {std::pair{1'000'000'000ULL, "GP"}, {1'000'000ULL, "MP"}, {1'000ULL, "kP"}}) {
    if (pixels >= factor && pixels % factor == 0) {
      return fmt::format("{}{}", pixels / factor, unit);
    }
  }
  return std::to_string(pixels);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  constexpr std::int64_t hour = 3'600'000;
  if (count != 0 && count % hour == 0) {
    return fmt::format("{}h", count / hour);
  }
  return count % 1000 == 0 ? fmt::format("{}s", count / 1000) : fmt::format("{}ms", count);
}

}  // namespace pantile
