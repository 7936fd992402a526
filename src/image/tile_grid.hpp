#pragma once
// Which input pixels a tile reads, and which output pixels it writes.
//
//     item 100×100, scale 2, valid model with halo 7, target = the one block {0, 0, 200, 200}, core 64×64:
//     L = 100, n = ceil(100/64) = 2, e = ceil(100/2) = 50: four tiles of 50×50 core pixels;
//     source(0) = {-7, -7, 64, 64} (the border extends the image), produced(0) = owned(0) = {0, 0, 100, 100}.

#include <cstddef>

#include "base/extent.hpp"
#include "image/tile_geometry.hpp"

namespace pantile {

/// Cuts the part of an image that one block of its output needs into tiles of one extent.
///
/// Core: the input pixels whose output a tile is made for; its source is the core and the halo around it. Tiles are
/// evened out (n = ceil(L / core), extent ceil(L / n) a side), and the last one is shifted inwards to end where the
/// block does, so that the tiles of a block have one core extent. Where the geometry has an alignment, tiles begin at
/// multiples of it and have sides that are. Pure; safe to share between threads.
class TileGrid {
 public:
  /// `image`: extent of the item as the model sees it (oriented). `target`: a part of the item's output, in output
  /// pixels, usually one block. `core`: the tile wanted, in input pixels without halo; any extent ≥ 1 will do, larger
  /// than the image too. A core smaller than geometry.min_tile_px a side is grown to it, beyond the target where need
  /// be, towards the front; only an image that is smaller itself has smaller tiles. Same padding: border means nothing.
  /// A geometry that is whole_only has one tile, the image, whatever core and target. Precondition: target is not empty
  /// and lies in output_extent(geometry, border, image).
  TileGrid(Extent image, const TileGeometry& geometry, Border border, Rect target, Extent core);

  [[nodiscard]] std::size_t size() const noexcept;
  /// Tiles in a row.
  [[nodiscard]] std::size_t columns() const noexcept { return static_cast<std::size_t>(columns_.count); }
  /// Core extent of every tile, input pixels.
  [[nodiscard]] Extent tile() const noexcept { return {rows_.side, columns_.side}; }

  // Row-major; precondition: index < size().

  /// Input pixels that tile `index` reads. Valid padding: the core and its halo, which may reach outside the image
  /// unless border is none. Same padding: the core and its halo as far as the image goes (the model itself pads the
  /// image's edge). Sides are multiples of the alignment, for which the image counts as extended to the next one: see
  /// gather_border().
  [[nodiscard]] Rect source(std::size_t index) const;
  /// Output pixels of the item that the model's output for source(index) covers, in the item's coordinates.
  [[nodiscard]] Rect produced(std::size_t index) const;
  /// Output pixels of the item that tile `index` writes; never empty. Invariants: over all tiles these cover target
  /// exactly once; owned(i) lies in produced(i), and in no pixel that saw a made-up edge.
  [[nodiscard]] Rect owned(std::size_t index) const;

  /// Largest height and width over all sources.
  [[nodiscard]] Extent largest_source() const noexcept;

 private:
  /// One axis: tiles start at begin, begin + side, …, the last at end − side. In input pixels, counted from the one
  /// that output pixel 0 belongs to.
  struct Axis {
    int begin = 0;
    int end = 0;
    int side = 0;
    int count = 0;
  };
  struct Range {
    int begin = 0;
    int end = 0;
  };
  [[nodiscard]] Axis cut(Range target, int domain, int wanted) const;
  static Range core_of(const Axis& axis, std::size_t at) noexcept;
  static Range owned_of(const Axis& axis, std::size_t at) noexcept;
  [[nodiscard]] Rect pick(Range (*of)(const Axis&, std::size_t), std::size_t index) const;

  Extent image_;
  TileGeometry geometry_;
  int shift_y_ = 0;  ///< output pixel (0, 0) belongs to input pixel (shift_y_, shift_x_)
  int shift_x_ = 0;
  Rect target_;
  Axis rows_;
  Axis columns_;
};

}  // namespace pantile
