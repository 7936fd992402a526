#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pantile {

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;
inline constexpr std::uint64_t TiB = 1024 * GiB;

/// "256MiB", "1.5GiB", "80KB", "4096": binary units with an i, decimal ones without. Nothing if it is no size.
[[nodiscard]] std::optional<std::uint64_t> parse_byte_size(std::string_view text);

/// Three digits and a binary unit: "1.46 GiB".
[[nodiscard]] std::string format_byte_size(std::uint64_t bytes);

}  // namespace pantile
