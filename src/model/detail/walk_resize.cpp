// Resize: which pixels a new pixel is mixed of, and whether the engine mixes them alike wherever they are.
//
// The engine computes the place of each new pixel in its input in float32, counted from the edge of what it was shown.
// For factors that are powers of two these places are exact, so that a tile and the whole image get the same weights.
// For all others they are rounded by place: nearest neighbours are still found, mixtures differ in their last bits.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "model/detail/walker.hpp"

namespace pantile::detail {

namespace {

struct Manner {
  std::string mode;      ///< nearest, linear, cubic
  std::string places;    ///< coordinate_transformation_mode
  std::string rounding;  ///< nearest_mode
  bool antialias = false;
};

Manner manner_of(const onnx::NodeProto& node, std::int64_t opset) {
  const bool old = node.op_type() == "Upsample" || opset < 11;
  Manner manner{
      .mode = attribute(node, "mode", std::string_view{"nearest"}),
      .places = attribute(node, "coordinate_transformation_mode", std::string_view{old ? "asymmetric" : "half_pixel"}),
      .rounding = attribute(node, "nearest_mode", std::string_view{old ? "floor" : "round_prefer_floor"}),
      .antialias = attribute(node, "antialias", std::int64_t{0}) != 0};
  manner.mode = manner.mode == "bilinear" ? "linear" : manner.mode;
  // For more than one pixel they are the same.
  manner.places =
      manner.places == "pytorch_half_pixel" || manner.places == "half_pixel_symmetric" ? "half_pixel" : manner.places;
  return manner;
}

/// The factor along an axis as the model writes it; nothing where it follows from sizes.
std::optional<double> written_scale(const onnx::NodeProto& node, const Graph& graph, const Shapes& shapes,
                                    std::int64_t axis) {
  const bool old = node.op_type() == "Upsample" || graph.opset() < 11;
  Sizes scales;
  if (has_attribute(node, "scales")) {
    for (const double each : real_attribute(node, "scales")) {
      scales.push_back(number(each));
    }
  } else if (const Sizes* given = shapes.values(input(node, old ? 1 : 2))) {
    scales = *given;
  }
  const auto axes = attribute(node, "axes", std::vector<std::int64_t>{});
  for (std::size_t at = 0; at < scales.size(); ++at) {
    const std::int64_t own = at < axes.size() ? axes[at] : static_cast<std::int64_t>(at);
    if ((own < 0 ? own + 4 : own) == axis && scales[at].is_number()) {
      return scales[at].offset;
    }
  }
  return std::nullopt;
}

bool is_power_of_two(std::int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

/// Where output pixel r of step reads, in input pixels.
double place_of(const Manner& manner, const Fraction& factor, std::int64_t r) {
  const double scale = static_cast<double>(factor.up) / static_cast<double>(factor.down);
  return manner.places == "half_pixel" ? (static_cast<double>(r) + 0.5) / scale - 0.5 : static_cast<double>(r) / scale;
}

double nearest(const std::string& rounding, double place) {
  if (rounding == "floor") {
    return std::floor(place);
  }
  if (rounding == "ceil") {
    return std::ceil(place);
  }
  return rounding == "round_prefer_ceil" ? std::floor(place + 0.5) : std::ceil(place - 0.5);
}

/// True if the nearest pixel is found in spite of a place that is a little off.
bool is_safe(const Manner& manner, const Fraction& factor) {
  if (is_power_of_two(factor.up) && is_power_of_two(factor.down)) {
    return true;
  }
  // The middle of a small pixel lies less than half a large one from the one that it is in, and never at half. Counted
  // from the corner, whole factors are divided exactly where it matters.
  return factor.down == 1 &&
         (manner.places == "half_pixel" ? manner.rounding.starts_with("round") : manner.rounding == "floor");
}

Interpolation interpolation(const Manner& manner, const Fraction& factor) {
  Interpolation how{.step = static_cast<int>(factor.up), .stride = static_cast<int>(factor.down), .taps = {}};
  for (std::int64_t r = 0; r < factor.up; ++r) {
    const double place = place_of(manner, factor, r);
    const auto below = static_cast<std::int64_t>(std::floor(place));
    if (manner.mode == "nearest") {
      how.taps.push_back({static_cast<std::int64_t>(nearest(manner.rounding, place))});
    } else if (static_cast<double>(below) == place) {
      how.taps.push_back({below});
    } else if (manner.mode == "linear") {
      how.taps.push_back({below, below + 1});
    } else {
      how.taps.push_back({below - 1, below, below + 1, below + 2});
    }
  }
  return how;
}

}  // namespace

Walker::Output Walker::resize(const onnx::NodeProto& node) {
  const Manner manner = manner_of(node, graph_.opset());
  const Grid& from = data(node);
  const Sizes before = dims(node, input(node, 0));
  const Sizes after = dims(node, node.output(0));
  if (before.size() != 4 || after.size() != 4 || !(before[1] == after[1])) {
    stop(node, "resizes something else than the sides of the image");
  }
  std::optional<Fraction> factors[2];
  for (const std::size_t axis : {0U, 1U}) {
    const Size& length = after[axis + 2];
    factors[axis] = ratio(length, before[axis + 2]);
    if (!factors[axis]) {
      stop(node, length.is_number()
                     ? fmt::format("resizes to the fixed size {}", length.offset)
                     : "resizes by factors that are not written in the model, nor follow from its input");
    }
    if (std::min(factors[axis]->up, factors[axis]->down) != 1 || factors[axis]->up > largest_density ||
        factors[axis]->down > largest_density) {
      stop(node, fmt::format("resizes by {}/{}; only whole factors, or one by a whole factor, are tiled",
                             factors[axis]->up, factors[axis]->down));
    }
  }
  std::optional<double> inexact[2];  // sides that are followed by a factor near the one that the engine takes
  for (const std::size_t axis : {0U, 1U}) {
    const auto written = written_scale(node, graph_, shapes_, static_cast<std::int64_t>(axis) + 2);
    if (written && *written != static_cast<double>(factors[axis]->up) / static_cast<double>(factors[axis]->down)) {
      inexact[axis] = written;
    }
  }
  const bool same = !inexact[0] && !inexact[1] && factors[0] == Fraction{1, 1} && factors[1] == Fraction{1, 1};
  if (same && manner.places != "tf_crop_and_resize") {
    return from;
  }
  const bool followed = (manner.places == "half_pixel" || manner.places == "asymmetric") &&
                        (manner.mode == "nearest" || manner.mode == "linear" || manner.mode == "cubic");
  if (!followed || manner.antialias) {
    blame_node(node,
               fmt::format("interpolates ({}{}, {}) by places counted from the edge of its input, so that tiles would "
                           "differ; half_pixel and asymmetric are tiled",
                           manner.mode, manner.antialias ? " with antialias" : "", manner.places),
               false);
  }
  std::optional<AxisMap> maps[2];
  for (const std::size_t axis : {0U, 1U}) {
    const Fraction& factor = *factors[axis];
    const bool exact = is_power_of_two(factor.up) && is_power_of_two(factor.down);
    if (followed && manner.mode != "nearest" && !exact) {
      blame_node(node,
                 fmt::format("interpolates ({}) by {}/{}, for which the engine rounds the places of pixels, so that "
                             "tiles would differ in their last bits; powers of two are tiled",
                             manner.mode, factor.up, factor.down),
                 false);
    }
    if (followed && manner.mode == "nearest" && !is_safe(manner, factor)) {
      blame_node(node,
                 fmt::format("does not repeat each pixel ({}, {}): by {}/{} the engine rounds the places of pixels",
                             manner.places, manner.rounding, factor.up, factor.down),
                 false);
    }
    if (inexact[axis]) {
      blame_node(
          node,
          fmt::format("resizes by {:.9g}, which is near {}/{} and not the same: the engine takes it as written, so "
                      "that places drift away from the edge and tiles would differ; write the factor exactly",
                      *inexact[axis], factor.up, factor.down),
          false);
    }
    maps[axis] = interpolated(axis == 0 ? from.y : from.x, interpolation(manner, factor));
    if (!maps[axis]) {
      stop(node, fmt::format("resizes by {}/{} what has no such part", factor.up, factor.down));
    }
  }
  return Grid{.y = *maps[0], .x = *maps[1], .channels = from.channels, .layout = {}};
}

}  // namespace pantile::detail
