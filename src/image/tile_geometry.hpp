#pragma once
// How a local model maps input pixels to output pixels. Facts of the graph, used by the tile grid, the planner and the
// lanes.

#include <algorithm>
#include <cstdint>

#include "base/extent.hpp"

namespace pantile {

/// Pixels on each side.
struct Margin {
  int top = 0;
  int left = 0;
  int bottom = 0;
  int right = 0;
  [[nodiscard]] constexpr int vertical() const noexcept { return top + bottom; }
  [[nodiscard]] constexpr int horizontal() const noexcept { return left + right; }
  bool operator==(const Margin&) const = default;
};

/// `valid`: the model's output shrinks by its halo. `same`: it pads with zeros itself, so that output = scale × input.
enum class Padding : std::uint8_t { valid, same };

/// What a valid model sees beyond the edge of the image. `none`: nothing, and the output is smaller by the halo.
enum class Border : std::uint8_t { none, replicate, reflect };

struct TileGeometry {
  int scale = 1;  ///< output pixels per input pixel, both axes
  Margin halo;    ///< input pixels that one output pixel needs around its own; of a valid model: what the output loses
  Padding padding = Padding::valid;
  int min_tile_px = 1;  ///< smaller tiles may round differently: never planned (unless the image is smaller)
  /// What the model is shown has sides that are multiples of this, and its results repeat with it: tiles start at
  /// multiples of it, and an image is extended (its last pixels repeated) to the next one, the output cut off again.
  int alignment_px = 1;
  bool whole_only = false;  ///< its results depend on all of the image: it is never cut
};

/// The next multiple of `step`, for numbers of 0 and more.
[[nodiscard]] constexpr int rounded_up(int value, int step) noexcept { return (value + step - 1) / step * step; }
[[nodiscard]] constexpr Extent rounded_up(Extent extent, int step) noexcept {
  return {rounded_up(extent.height, step), rounded_up(extent.width, step)};
}

/// Where the pixels beyond the image come from when a tile is gathered: an image that is extended to a multiple has
/// some, whatever the border.
[[nodiscard]] constexpr Border gather_border(const TileGeometry& geometry, Border border) noexcept {
  return geometry.alignment_px > 1 && border == Border::none ? Border::replicate : border;
}

/// Extent of an item's output. Empty if the image is smaller than the halo of a valid model without border.
[[nodiscard]] constexpr Extent output_extent(const TileGeometry& geometry, Border border, Extent input) noexcept {
  if (geometry.padding == Padding::valid && border == Border::none) {
    input = {std::max(0, input.height - geometry.halo.vertical()),
             std::max(0, input.width - geometry.halo.horizontal())};
  }
  return input * geometry.scale;
}

}  // namespace pantile
