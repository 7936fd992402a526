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
  Margin halo;    ///< input pixels that one output pixel needs around its own
  Padding padding = Padding::valid;
  int min_tile_px = 1;  ///< smaller tiles may round differently: never planned (unless the image is smaller)
};

/// Extent of an item's output. Empty if the image is smaller than the halo of a valid model without border.
[[nodiscard]] constexpr Extent output_extent(const TileGeometry& geometry, Border border, Extent input) noexcept {
  if (geometry.padding == Padding::valid && border == Border::none) {
    input = {std::max(0, input.height - geometry.halo.vertical()),
             std::max(0, input.width - geometry.halo.horizontal())};
  }
  return input * geometry.scale;
}

}  // namespace pantile
