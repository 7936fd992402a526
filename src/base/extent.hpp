#pragma once
// Sizes and places on the pixel grid. Always height before width, y before x, as in NCHW.

#include <algorithm>
#include <cstdint>
#include <string>

namespace pantile {

/// Height × width in pixels.
struct Extent {
  int height = 0;
  int width = 0;
  [[nodiscard]] constexpr std::int64_t area() const noexcept { return std::int64_t{height} * width; }
  [[nodiscard]] constexpr bool empty() const noexcept { return height <= 0 || width <= 0; }
  bool operator==(const Extent&) const = default;
};

[[nodiscard]] constexpr Extent operator*(Extent extent, int factor) noexcept {
  return {extent.height * factor, extent.width * factor};
}

/// A rectangle of pixels: rows [y, y + height), columns [x, x + width). May reach outside an image where a caller says
/// so.
struct Rect {
  int y = 0;
  int x = 0;
  int height = 0;
  int width = 0;
  [[nodiscard]] constexpr int bottom() const noexcept { return y + height; }
  [[nodiscard]] constexpr int right() const noexcept { return x + width; }
  [[nodiscard]] constexpr Extent extent() const noexcept { return {height, width}; }
  [[nodiscard]] constexpr std::int64_t area() const noexcept { return std::int64_t{height} * width; }
  [[nodiscard]] constexpr bool empty() const noexcept { return height <= 0 || width <= 0; }
  [[nodiscard]] constexpr bool contains(const Rect& other) const noexcept {
    return other.y >= y && other.x >= x && other.bottom() <= bottom() && other.right() <= right();
  }
  bool operator==(const Rect&) const = default;
};

[[nodiscard]] constexpr Rect whole(Extent extent) noexcept { return {0, 0, extent.height, extent.width}; }

[[nodiscard]] constexpr Rect intersection(const Rect& a, const Rect& b) noexcept {
  const int y = std::max(a.y, b.y);
  const int x = std::max(a.x, b.x);
  return {y, x, std::max(0, std::min(a.bottom(), b.bottom()) - y), std::max(0, std::min(a.right(), b.right()) - x)};
}

/// `1401×992`, as a person writes it: height first here too.
[[nodiscard]] inline std::string to_string(Extent extent) {
  return std::to_string(extent.height) + "×" + std::to_string(extent.width);
}

}  // namespace pantile
