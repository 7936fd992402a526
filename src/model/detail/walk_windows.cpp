// Operators that read windows of their input, or write several pixels for one: they change what a pixel sees.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "model/detail/walker.hpp"

namespace pantile::detail {

namespace {

/// One number for each axis.
struct Pair {
  int y = 0;
  int x = 0;
};

Pair pair_attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto values = attribute(node, name, std::vector<std::int64_t>{1, 1});
  if (values.size() != 2) {
    stop(node, fmt::format("has {} {} (2 for images)", values.size(), name));
  }
  return {static_cast<int>(values[0]), static_cast<int>(values[1])};
}

double product(const std::vector<std::int64_t>& values) {
  double all = 1;
  for (const std::int64_t each : values) {
    all *= static_cast<double>(each);
  }
  return all;
}

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

/// Zeros on either side, as auto_pad asks for: so many that there is an output pixel for each `stride` input pixels.
void pad_to_same(Kernel& kernel, const AxisMap& input, bool more_at_end) {
  const std::int64_t reach = std::int64_t{kernel.dilation} * (kernel.size - 1);
  // The length is a multiple of the stride, and the offset.
  const std::int64_t last = (ceil_div(input.offset, kernel.stride) - 1) * kernel.stride;
  const auto total = static_cast<int>(std::max<std::int64_t>(0, last + reach + 1 - input.offset));
  kernel.pad_begin = more_at_end ? total / 2 : total - total / 2;
  kernel.pad_end = total - kernel.pad_begin;
}

Kernels kernels_of(const onnx::NodeProto& node, Pair size) {
  const Pair dilation = pair_attribute(node, "dilations");
  const Pair stride = pair_attribute(node, "strides");
  const auto pads = attribute(node, "pads", std::vector<std::int64_t>{0, 0, 0, 0});
  const auto sane = [](Pair pair) { return pair.y >= 1 && pair.x >= 1 && std::max(pair.y, pair.x) <= largest_reach; };
  const auto huge = [](std::int64_t pad) { return pad < -largest_reach || pad > largest_reach; };
  if (pads.size() != 4 || std::any_of(pads.begin(), pads.end(), huge) || !sane(size) || !sane(dilation) ||
      !sane(stride)) {
    stop(node, "has a kernel that makes no sense on an image");
  }
  Kernels kernels{.y = {size.y, dilation.y, stride.y, static_cast<int>(pads[0]), static_cast<int>(pads[2])},
                  .x = {size.x, dilation.x, stride.x, static_cast<int>(pads[1]), static_cast<int>(pads[3])}};
  const std::string auto_pad = attribute(node, "auto_pad", std::string_view{"NOTSET"});
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    kernels.same = auto_pad == "SAME_UPPER" ? Kernels::Same::more_at_end : Kernels::Same::more_at_begin;
  } else if (auto_pad == "VALID") {
    kernels.y.pad_begin = kernels.y.pad_end = kernels.x.pad_begin = kernels.x.pad_end = 0;
  }
  return kernels;
}

/// Sides of an image of which this tensor has more than so many pixels: what mirrors them needs one more.
int more_than(const AxisMap& map, std::int64_t pixels) {
  return static_cast<int>(std::max<std::int64_t>(0, pixels - map.offset) * map.period / map.density) + 1;
}

}  // namespace

Grid Walker::slid(const onnx::NodeProto& node, const Grid& input, Kernels kernels) const {
  if (kernels.same != Kernels::Same::no) {
    pad_to_same(kernels.y, input.y, kernels.same == Kernels::Same::more_at_end);
    pad_to_same(kernels.x, input.x, kernels.same == Kernels::Same::more_at_end);
  }
  const auto y = convolved(input.y, kernels.y);
  const auto x = convolved(input.x, kernels.x);
  if (!y || !x) {
    stop(node, fmt::format("has stride {}: from there on tiles would have to be aligned to more than {} px",
                           std::max(kernels.y.stride, kernels.x.stride), largest_period));
  }
  return {.y = *y, .x = *x, .channels = input.channels, .layout = {}};
}

std::vector<std::int64_t> Walker::weights(const onnx::NodeProto& node) const {
  const Sizes shape = dims(node, input(node, 1));
  std::vector<std::int64_t> whole;
  for (const Size& each : shape) {
    whole.push_back(each.is_number() ? as_whole(each.offset) : 0);
  }
  if (whole.size() != 4 ||
      std::any_of(whole.begin(), whole.end(), [](auto dim) { return dim < 1 || dim > INT32_MAX; })) {
    stop(node, "has weights that are not a constant [out, in, height, width]");
  }
  return whole;
}

/// `macs` multiply-adds for each pixel of `area`.
void Walker::add_cost(const Grid& area, double macs) {
  const double rows = static_cast<double>(area.y.density) / area.y.period;
  const double columns = static_cast<double>(area.x.density) / area.x.period;
  const int common = std::gcd(area.y.density, area.y.period);
  const auto lost = [](const AxisMap& map) { return static_cast<int>(-map.offset * map.period / map.density); };
  layers_.push_back({.macs_per_px = macs * columns / rows,
                     .numerator = area.y.density / common,
                     .denominator = area.y.period / common,
                     .shrink = {lost(area.y), lost(area.x)}});
}

Walker::Output Walker::convolution(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  const auto shape = weights(node);
  Grid output = slid(node, data(node), kernels_of(node, {static_cast<int>(shape[2]), static_cast<int>(shape[3])}));
  output.channels = shape[0];
  add_cost(output, product(shape));
  return output;
}

Walker::Output Walker::transposed_convolution(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  const auto shape = weights(node);  // [in, out / groups, height, width]
  const Kernels kernels = kernels_of(node, {static_cast<int>(shape[2]), static_cast<int>(shape[3])});
  if (has_attribute(node, "output_shape") || kernels.same != Kernels::Same::no) {
    stop(node, "pads by the size of its input (output_shape or auto_pad): write its pads out");
  }
  const auto extra = attribute(node, "output_padding", std::vector<std::int64_t>{0, 0});
  const auto huge = [](std::int64_t pad) { return pad < 0 || pad > largest_reach; };
  if (std::max(kernels.y.stride, kernels.x.stride) > largest_density || extra.size() == 1 || extra.size() > 2 ||
      std::any_of(extra.begin(), extra.end(), huge)) {
    stop(node, "has a stride or an output_padding that makes no sense on an image");
  }
  const Grid& input = data(node);
  add_cost(input, product(shape));
  return Grid{.y = transposed_convolved(input.y, kernels.y, extra.empty() ? 0 : static_cast<int>(extra[0])),
              .x = transposed_convolved(input.x, kernels.x, extra.empty() ? 0 : static_cast<int>(extra.back())),
              .channels = shape[1] * attribute(node, "group", std::int64_t{1}),
              .layout = {}};
}

Walker::Output Walker::pool(const onnx::NodeProto& node) {
  Kernels kernels = kernels_of(node, pair_attribute(node, "kernel_shape"));
  kernels.y.rounds_up = kernels.x.rounds_up =
      attribute(node, "ceil_mode", std::int64_t{0}) != 0 && kernels.same == Kernels::Same::no;
  return slid(node, data(node), kernels);
}

Walker::Output Walker::depth_to_space(const onnx::NodeProto& node) {
  const auto block = static_cast<int>(attribute(node, "blocksize", std::int64_t{1}));
  const Grid& input = data(node);
  if (block < 1 || block > largest_density || input.channels % (std::int64_t{block} * block) != 0) {
    stop(node, "has a block size that does not divide its channels");
  }
  return Grid{.y = repeated(input.y, block),
              .x = repeated(input.x, block),
              .channels = input.channels / block / block,
              .layout = {}};
}

Walker::Output Walker::space_to_depth(const onnx::NodeProto& node) {
  const auto block =
      static_cast<int>(std::clamp<std::int64_t>(attribute(node, "blocksize", std::int64_t{1}), 1, largest_period + 1));
  const Kernel kernel{.size = block, .dilation = 1, .stride = block, .pad_begin = 0, .pad_end = 0};
  Grid output = slid(node, data(node), {.y = kernel, .x = kernel});
  output.channels *= std::int64_t{block} * block;
  return output;
}

Walker::Output Walker::pad(const onnx::NodeProto& node) {
  const std::string mode = attribute(node, "mode", std::string_view{"constant"});
  auto pads = list(node, "pads", 1);
  expect_constants(node, 1);
  const Grid& from = data(node);
  if (!input(node, 3).empty()) {
    const auto axes = list(node, "axes", 3);
    std::vector<std::int64_t> all(8, 0);
    for (std::size_t at = 0; at < axes.size() && pads.size() == 2 * axes.size(); ++at) {
      const std::int64_t axis = axes[at] < 0 ? axes[at] + 4 : axes[at];
      if (axis < 0 || axis > 3) {
        stop(node, "pads along a dimension that an image has not");
      }
      all[static_cast<std::size_t>(axis)] = pads[at];
      all[static_cast<std::size_t>(axis) + 4] = pads[at + axes.size()];
    }
    pads = all;
  }
  if (std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad < -largest_reach || pad > largest_reach; })) {
    stop(node, "pads more than makes sense on an image");
  }
  if (pads.size() != 8 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) {
    stop(node, "pads something else than the sides of the image");
  }
  const bool nothing = std::all_of(pads.begin(), pads.end(), [](auto pad) { return pad == 0; });
  if (!nothing && mode != "constant" && mode != "edge" && mode != "reflect") {
    stop(node, fmt::format("pads with what lies at the other end ({})", mode));
  }
  if (mode == "reflect") {
    least_px_ = std::max(
        {least_px_, more_than(from.y, std::max(pads[2], pads[6])), more_than(from.x, std::max(pads[3], pads[7]))});
  }
  return Grid{.y = padded(from.y, static_cast<int>(pads[2]), static_cast<int>(pads[6])),
              .x = padded(from.x, static_cast<int>(pads[3]), static_cast<int>(pads[7])),
              .channels = from.channels,
              .layout = {}};
}

}  // namespace pantile::detail
