#include "report/columns.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/printable.hpp"

namespace pantile {
namespace {

/// East Asian Width W and F of Unicode 15, in coarse ranges: wcwidth() would depend on the locale.
bool is_wide(std::uint32_t code) noexcept {
  struct Range {
    std::uint32_t first;
    std::uint32_t last;
  };
  constexpr std::array<Range, 9> wide{{{0x1100, 0x115F},
                                       {0x2E80, 0xA4CF},
                                       {0xAC00, 0xD7A3},
                                       {0xF900, 0xFAFF},
                                       {0xFE30, 0xFE6F},
                                       {0xFF00, 0xFF60},
                                       {0xFFE0, 0xFFE6},
                                       {0x1F300, 0x1FAFF},
                                       {0x20000, 0x3FFFD}}};
  return std::any_of(wide.begin(), wide.end(), [&](const Range& r) { return code >= r.first && code <= r.last; });
}

}  // namespace

std::string clean(std::string_view text, Charset charset) {
  std::string cleaned;
  while (!text.empty()) {
    const Character c = first_character(text);
    const bool shown = !commands_terminal(c) && (charset == Charset::utf8 || c.code < 0x80);
    cleaned += shown ? text.substr(0, c.bytes) : std::string_view{"?"};
    text.remove_prefix(c.bytes);
  }
  return cleaned;
}

std::size_t columns(std::string_view text) noexcept {
  std::size_t count = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    count += is_wide(c.code) ? 2 : 1;
    text.remove_prefix(c.bytes);
  }
  return count;
}

std::string fit(std::string_view text, std::size_t width, Charset charset) {
  if (columns(text) <= width) {
    return std::string{text};
  }
  const std::string_view ellipsis = charset == Charset::utf8 ? "…" : "~";
  std::string kept;
  std::size_t used = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    used += is_wide(c.code) ? 2 : 1;
    if (used + 1 > width) {
      break;
    }
    kept += text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
  }
  return width == 0 ? "" : kept + std::string{ellipsis};
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string{text} + std::string(used < width ? width - used : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(used < width ? width - used : 0, ' ') + std::string{text};
}

}  // namespace pantile
