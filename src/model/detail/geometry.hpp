#pragma once
// From what one output pixel sees to how images are cut.

#include <string>

#include "image/tile_geometry.hpp"
#include "model/detail/grid_walk.hpp"
#include "model/detail/size.hpp"

namespace pantile::detail {

struct FoundGeometry {
  TileGeometry geometry;
  bool makes_image = false;  ///< the output is some whole times the input, so that whole images can be run at least
  std::string why_not;       ///< why it cannot be tiled by this geometry, in plain words; empty if it can
};
/// `claims`: what the graph's own arithmetic takes the sides of an image for.
[[nodiscard]] FoundGeometry tile_geometry(const Grid& output, const Claims& claims);

/// "2", "1/4", "2 × 1": pixels of the output for each of the input.
[[nodiscard]] std::string scale_text(const Grid& output);
/// Input pixels that a pixel of the output sees around its own, which for pixel (0, 0) is (shift_y, shift_x).
[[nodiscard]] Margin reach_of(const Grid& output, int shift_y, int shift_x);

}  // namespace pantile::detail
