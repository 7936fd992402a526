#include "model/detail/geometry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace pantile::detail {

namespace {

/// Over all pixels of a period, relative to the image pixel that each belongs to.
Window relative_window(const AxisMap& map) {
  Window seen;
  for (std::size_t phase = 0; phase < map.windows.size(); ++phase) {
    const Window& window = map.windows[phase];
    if (window.first <= window.last) {
      const std::int64_t own = static_cast<std::int64_t>(phase) * map.period / map.density;
      seen = {std::min(seen.first, window.first - own), std::max(seen.last, window.last - own)};
    }
  }
  return seen;
}

/// How one axis is tiled: output pixel scale·q + phase belongs to image pixel q + before.
struct AxisGeometry {
  int scale = 1;
  int before = 0;
  int after = 0;
  bool padded = false;  ///< the output has scale × n pixels, of which those at the sides saw padding
  bool makes_image = false;
  std::string why_not;
};

AxisGeometry axis_geometry(const AxisMap& map) {
  AxisGeometry axis;
  const Window seen = relative_window(map);
  if (seen.first > seen.last) {
    axis.why_not = "its output does not depend on the image";
    return axis;
  }
  if (map.density % map.period != 0) {
    const int common = std::gcd(map.density, map.period);
    axis.why_not = fmt::format(
        "its output has {}/{} of the pixels of its input along a side, and only whole multiples are tiled by this "
        "version",
        map.density / common, map.period / common);
    return axis;
  }
  axis.scale = map.density / map.period;
  if (map.offset % axis.scale != 0) {
    axis.why_not = fmt::format(
        "its output has {}·n − {} pixels for n input pixels a side, which is no whole number of input pixels",
        axis.scale, -map.offset);
    return axis;
  }
  const std::int64_t shrink = -map.offset / axis.scale;
  const bool clean = map.unclean_begin == 0 && map.unclean_end == 0;
  if (shrink == 0 && !clean) {
    // Enough to see all that matters, and to hide what saw padding at the tile's own edges. The first is the larger one
    // unless a layer crops what a later one pads.
    const auto hides = [&](std::int64_t unclean) { return (unclean + axis.scale - 1) / axis.scale; };
    axis.padded = axis.makes_image = true;
    axis.before = static_cast<int>(std::max<std::int64_t>(hides(map.unclean_begin), -seen.first));
    axis.after = static_cast<int>(std::max<std::int64_t>(hides(map.unclean_end), seen.last));
    return axis;
  }
  if (shrink >= 0) {
    axis.makes_image = true;
    axis.before = static_cast<int>(std::clamp<std::int64_t>((seen.first + seen.last) / 2, 0, shrink));
    axis.after = static_cast<int>(shrink - axis.before);
  }
  if (!clean || shrink < 0) {
    axis.why_not = fmt::format(
        "it pads some layers and not others: {} pixels of its output saw padding at the sides, and it {} by "
        "{} input pixels; not tiled by this version",
        map.unclean_begin + map.unclean_end, shrink > 0 ? "shrinks" : "grows", shrink > 0 ? shrink : -shrink);
  } else if (shrink == 0 && (seen.first < 0 || seen.last > 0)) {
    // A frame of nothing is clean, and what the pixels of a period share may lie on either side of one of them.
    axis.padded = true;
    axis.before = static_cast<int>(std::max<std::int64_t>(0, -seen.first));
    axis.after = static_cast<int>(std::max<std::int64_t>(0, seen.last));
  }
  return axis;
}

std::string axis_scale(const AxisMap& map) {
  const int common = std::gcd(map.density, map.period);
  const int up = map.density / common;
  const int down = map.period / common;
  return down == 1 ? std::to_string(up) : fmt::format("{}/{}", up, down);
}

}  // namespace

FoundGeometry tile_geometry(const Grid& output, const Claims& claims) {
  FoundGeometry found;
  if (!output.layout.empty()) {
    found.why_not = "its output is not [N, C, H, W]";
    return found;
  }
  const AxisGeometry rows = axis_geometry(output.y);
  const AxisGeometry columns = axis_geometry(output.x);
  found.why_not = rows.why_not.empty() ? columns.why_not : rows.why_not;
  const auto shrinks = [](const AxisGeometry& axis) { return !axis.padded && axis.before + axis.after > 0; };
  const std::int64_t alignment =
      std::lcm(std::lcm<std::int64_t>(output.y.period, output.x.period), std::lcm(claims.height, claims.width));
  found.makes_image = rows.makes_image && columns.makes_image && rows.scale == columns.scale;
  if (found.why_not.empty() && rows.scale != columns.scale) {
    found.why_not = fmt::format("it enlarges the height {} times and the width {} times", rows.scale, columns.scale);
  }
  if (found.why_not.empty() && ((rows.padded && shrinks(columns)) || (columns.padded && shrinks(rows)))) {
    found.why_not = "it pads along one axis and shrinks along the other; not tiled by this version";
    found.makes_image = false;
  }
  if (alignment > largest_period) {
    found.why_not = fmt::format("its tiles would have to be aligned to {} px", alignment);
    found.makes_image = false;
    return found;
  }
  // Of a model that looks at single pixels both are true. Called `same`, it needs no border.
  const bool valid = shrinks(rows) || shrinks(columns);
  found.geometry = {.scale = rows.scale,
                    .halo = {.top = rows.before, .left = columns.before, .bottom = rows.after, .right = columns.after},
                    .padding = valid ? Padding::valid : Padding::same,
                    .min_tile_px = 1,
                    .alignment_px = static_cast<int>(alignment),
                    .whole_only = false};
  return found;
}

std::string scale_text(const Grid& output) {
  const std::string rows = axis_scale(output.y);
  const std::string columns = axis_scale(output.x);
  return rows == columns ? rows : fmt::format("{} × {}", rows, columns);
}

Margin reach_of(const Grid& output, int shift_y, int shift_x) {
  const auto sides = [](const AxisMap& map, int shift) {
    const Window seen = relative_window(map);
    const auto before = static_cast<int>(std::clamp<std::int64_t>(shift - seen.first, 0, INT16_MAX));
    const auto after = static_cast<int>(std::clamp<std::int64_t>(seen.last - shift, 0, INT16_MAX));
    return std::pair{before, after};
  };
  const auto [top, bottom] = sides(output.y, shift_y);
  const auto [left, right] = sides(output.x, shift_x);
  return {.top = top, .left = left, .bottom = bottom, .right = right};
}

}  // namespace pantile::detail
