#include "image/tile_grid.hpp"

#include "base/error.hpp"

namespace pantile {
namespace {

int divided_up(int value, int by) noexcept { return (value + by - 1) / by; }

Rect shifted(Rect rect, int y, int x) noexcept { return {rect.y + y, rect.x + x, rect.height, rect.width}; }

Rect scaled(Rect rect, int scale) noexcept {
  return {rect.y * scale, rect.x * scale, rect.height * scale, rect.width * scale};
}

Rect grown(Rect rect, const Margin& by) noexcept {
  return {rect.y - by.top, rect.x - by.left, rect.height + by.vertical(), rect.width + by.horizontal()};
}

}  // namespace

TileGrid::TileGrid(Extent image, const TileGeometry& geometry, Border border, Rect target, Extent core)
    : image_{image}, geometry_{geometry}, target_{target} {
  const Extent output = output_extent(geometry, border, image);
  expect(!target.empty() && whole(output).contains(target), "the target of a tile grid lies in the item's output");
  expect(core.height >= 1 && core.width >= 1, "a tile has pixels");
  if (geometry.padding == Padding::valid && border == Border::none) {
    shift_y_ = geometry.halo.top;
    shift_x_ = geometry.halo.left;
  }
  rows_ = cut({target.y, target.bottom()}, output.height / geometry.scale, core.height);
  columns_ = cut({target.x, target.right()}, output.width / geometry.scale, core.width);
}

/// All in units of the alignment, which change nothing of the rules.
TileGrid::Axis TileGrid::cut(Range target, int domain, int wanted) const {
  const int unit = geometry_.alignment_px;
  domain = divided_up(domain, unit);
  const int least = geometry_.whole_only ? domain : std::min(divided_up(geometry_.min_tile_px, unit), domain);
  Axis axis{.begin = target.begin / geometry_.scale / unit,
            .end = divided_up(divided_up(target.end, geometry_.scale), unit)};
  if (axis.end - axis.begin < least) {
    // Towards the front: a part of a tile then stays in what that tile looks at, which may be all that there is.
    axis.begin = std::max(0, axis.end - least);
    axis.end = axis.begin + least;
  }
  const int length = axis.end - axis.begin;
  wanted = std::clamp(wanted / unit, std::max(least, 1), std::max(length, 1));
  axis.count = divided_up(length, wanted);
  axis.side = std::max(divided_up(length, axis.count), least);
  return {axis.begin * unit, axis.end * unit, axis.side * unit, axis.count};
}

std::size_t TileGrid::size() const noexcept {
  return static_cast<std::size_t>(rows_.count) * static_cast<std::size_t>(columns_.count);
}

TileGrid::Range TileGrid::core_of(const Axis& axis, std::size_t at) noexcept {
  const int begin = std::min(axis.begin + static_cast<int>(at) * axis.side, axis.end - axis.side);
  return {begin, begin + axis.side};
}

TileGrid::Range TileGrid::owned_of(const Axis& axis, std::size_t at) noexcept {
  // The last tile was shifted onto its neighbour, which keeps what both could write.
  const int begin = axis.begin + static_cast<int>(at) * axis.side;
  return {begin, std::min(begin + axis.side, axis.end)};
}

Rect TileGrid::pick(Range (*of)(const Axis&, std::size_t), std::size_t index) const {
  expect(index < size(), "the tile is in the grid");
  const auto per_row = static_cast<std::size_t>(columns_.count);
  const Range y = of(rows_, index / per_row);
  const Range x = of(columns_, index % per_row);
  return {y.begin, x.begin, y.end - y.begin, x.end - x.begin};
}

Rect TileGrid::source(std::size_t index) const {
  const int unit = geometry_.alignment_px;
  const Rect reach = grown(shifted(pick(core_of, index), shift_y_, shift_x_), geometry_.halo);
  if (geometry_.padding == Padding::valid) {
    return {reach.y, reach.x, rounded_up(reach.height, unit), rounded_up(reach.width, unit)};
  }
  const Rect inside = intersection(reach, whole(rounded_up(image_, unit)));
  const int y = inside.y / unit * unit;
  const int x = inside.x / unit * unit;
  return {y, x, rounded_up(inside.bottom(), unit) - y, rounded_up(inside.right(), unit) - x};
}

Rect TileGrid::produced(std::size_t index) const {
  const Rect seen = source(index);
  if (geometry_.padding == Padding::same) {
    return scaled(seen, geometry_.scale);  // everything that it was shown
  }
  const Rect core = pick(core_of, index);
  return scaled({core.y, core.x, seen.height - geometry_.halo.vertical(), seen.width - geometry_.halo.horizontal()},
                geometry_.scale);
}

Rect TileGrid::owned(std::size_t index) const {
  return intersection(scaled(pick(owned_of, index), geometry_.scale), target_);
}

Extent TileGrid::largest_source() const noexcept {
  Extent largest;
  // Sources differ along an axis only, so that the tiles of one row and one column show all extents there are.
  for (std::size_t column = 0; column < static_cast<std::size_t>(columns_.count); ++column) {
    largest.width = std::max(largest.width, source(column).width);
  }
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows_.count); ++row) {
    largest.height = std::max(largest.height, source(row * static_cast<std::size_t>(columns_.count)).height);
  }
  return largest;
}

}  // namespace pantile
