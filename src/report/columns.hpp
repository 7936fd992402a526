#pragma once
// Text on a terminal is measured in columns: not bytes, not characters. File names may hold anything, so what is shown
// is cleaned first. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace pantile {

enum class Charset { ascii, utf8 };

/// Without what a terminal would obey (base/printable) and bytes that are no UTF-8 (`?` each); with `ascii` without all
/// others too.
[[nodiscard]] std::string clean(std::string_view text, Charset charset);

/// Columns of a clean text; East Asian wide characters take two.
[[nodiscard]] std::size_t columns(std::string_view text) noexcept;

/// At most `width` columns, ending in an ellipsis if something was cut.
[[nodiscard]] std::string fit(std::string_view text, std::size_t width, Charset charset);

/// Filled with blanks to `width` columns, on the right or on the left.
[[nodiscard]] std::string pad_right(std::string_view text, std::size_t width);
[[nodiscard]] std::string pad_left(std::string_view text, std::size_t width);

}  // namespace pantile
