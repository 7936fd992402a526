#pragma once
// The small languages inside values: numbers, ratios, sizes, durations. Strict, unlike YAML's own: no octal, no hex, no
// leading zeros, no infinities; a quantity that has a unit must name it. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace pantile {

/// "0", "-3", "250"; not "010", "1e3", "+1".
[[nodiscard]] std::optional<std::int64_t> parse_whole_number(std::string_view text);
/// "0.5", "-1", "1e-3"; not "00.5", "nan", "inf", "0x1".
[[nodiscard]] std::optional<double> parse_number(std::string_view text);
/// A number or "a/b", b not zero.
[[nodiscard]] std::optional<Ratio> parse_ratio(std::string_view text);
/// "256MiB"; not "0256MiB".
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// "268MP", "0.5GP", "40kP", "1000000": powers of ten, as in a camera's data sheet.
[[nodiscard]] std::optional<std::uint64_t> parse_pixels(std::string_view text);
/// "1s", "250ms", "15min", "1h".
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "80%" as 80.
[[nodiscard]] std::optional<double> parse_percent(std::string_view text);

/// Texts that read back as exactly the same value: "256MiB", "60s".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
[[nodiscard]] std::string pixels_text(std::uint64_t pixels);
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

}  // namespace pantile
