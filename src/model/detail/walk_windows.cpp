// Operators that read windows of their input, or write several pixels for one: they change what a pixel sees.

#include <fmt/format.h>

#include <algorithm>
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

/// Zeros on either side that keep the extent, as auto_pad asks for.
void pad_to_same(Kernel& kernel, bool more_at_end) {
  const int total = kernel.dilation * (kernel.size - 1);
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
  Kernels kernels{{size.y, dilation.y, stride.y, static_cast<int>(pads[0]), static_cast<int>(pads[2])},
                  {size.x, dilation.x, stride.x, static_cast<int>(pads[1]), static_cast<int>(pads[3])}};
  const std::string auto_pad = attribute(node, "auto_pad", std::string_view{"NOTSET"});
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    if (stride.y != 1 || stride.x != 1) {
      stop(node, "pads by the size of its input (auto_pad with a stride): write its pads out");
    }
    pad_to_same(kernels.y, auto_pad == "SAME_UPPER");
    pad_to_same(kernels.x, auto_pad == "SAME_UPPER");
  } else if (auto_pad == "VALID") {
    kernels.y.pad_begin = kernels.y.pad_end = kernels.x.pad_begin = kernels.x.pad_end = 0;
  }
  return kernels;
}

}  // namespace

Grid Walker::slid(const onnx::NodeProto& node, const Grid& input, const Kernels& kernels) const {
  const auto y = convolved(input.y, kernels.y);
  const auto x = convolved(input.x, kernels.x);
  if (!y || !x) {
    stop(node,
         fmt::format("has stride {}: from there on the grid is coarser than the pixels, and tiles would have to be "
                     "aligned with it; not tiled by this version",
                     std::max(kernels.y.stride, kernels.x.stride)));
  }
  return {*y, *x, input.channels};
}

std::vector<std::int64_t> Walker::weights(const onnx::NodeProto& node) const {
  const auto dims = graph_.dims(input(node, 1));
  if (!dims || dims->size() != 4 ||
      std::any_of(dims->begin(), dims->end(), [](auto dim) { return dim < 1 || dim > INT32_MAX; })) {
    stop(node, "has weights that are not a constant [out, in, height, width]");
  }
  return *dims;
}

/// `macs` multiply-adds for each pixel of `area`.
void Walker::add_cost(const Grid& area, double macs) {
  const int density = area.y.density;
  layers_.push_back(
      {.macs_per_px = macs * area.x.density / density,
       .numerator = density,
       .denominator = 1,
       .shrink = {static_cast<int>(-area.y.offset / density), static_cast<int>(-area.x.offset / area.x.density)}});
}

Grid Walker::convolution(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  const auto shape = weights(node);
  Grid output = slid(node, data(node), kernels_of(node, {static_cast<int>(shape[2]), static_cast<int>(shape[3])}));
  output.channels = shape[0];
  add_cost(output, static_cast<double>(shape[0] * shape[1] * shape[2] * shape[3]));
  return output;
}

Grid Walker::transposed_convolution(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  const auto shape = weights(node);  // [in, out / groups, height, width]
  if (has_attribute(node, "output_shape") ||
      attribute(node, "auto_pad", std::string_view{"NOTSET"}).starts_with("SAME")) {
    stop(node, "pads by the size of its input (output_shape or auto_pad): write its pads out");
  }
  const auto extra = attribute(node, "output_padding", std::vector<std::int64_t>{0, 0});
  const Kernels kernels = kernels_of(node, {static_cast<int>(shape[2]), static_cast<int>(shape[3])});
  if (std::max(kernels.y.stride, kernels.x.stride) > largest_density || extra.size() == 1 || extra.size() > 2) {
    stop(node, "has a stride or an output_padding that makes no sense on an image");
  }
  const Grid& input = data(node);
  add_cost(input, static_cast<double>(shape[0] * shape[1] * shape[2] * shape[3]));
  return {transposed_convolved(input.y, kernels.y, extra.empty() ? 0 : static_cast<int>(extra[0])),
          transposed_convolved(input.x, kernels.x, extra.empty() ? 0 : static_cast<int>(extra.back())),
          shape[1] * attribute(node, "group", std::int64_t{1})};
}

Grid Walker::pool(const onnx::NodeProto& node) {
  if (attribute(node, "ceil_mode", std::int64_t{0}) != 0) {
    stop(node, "rounds its extent up (ceil_mode); not tiled by this version");
  }
  return slid(node, data(node), kernels_of(node, pair_attribute(node, "kernel_shape")));
}

Grid Walker::depth_to_space(const onnx::NodeProto& node) {
  const auto block = static_cast<int>(attribute(node, "blocksize", std::int64_t{1}));
  const Grid& input = data(node);
  if (block < 1 || block > largest_density || input.channels % (std::int64_t{block} * block) != 0) {
    stop(node, "has a block size that does not divide its channels");
  }
  return {repeated(input.y, block), repeated(input.x, block), input.channels / block / block};
}

Grid Walker::space_to_depth(const onnx::NodeProto& node) {
  const auto block = static_cast<int>(std::max<std::int64_t>(1, attribute(node, "blocksize", std::int64_t{1})));
  const Kernel kernel{.size = block, .dilation = 1, .stride = block, .pad_begin = 0, .pad_end = 0};
  Grid output = slid(node, data(node), {kernel, kernel});
  output.channels *= std::int64_t{block} * block;
  return output;
}

Grid Walker::resize(const onnx::NodeProto& node) {
  const std::string mode = attribute(node, "mode", std::string_view{"nearest"});
  if (mode != "nearest") {
    stop(node, fmt::format("interpolates ({}), by places counted from the edge of its input, so that tiles would round "
                           "differently; only nearest by whole factors is tiled",
                           mode));
  }
  const std::string places =
      attribute(node, "coordinate_transformation_mode",
                std::string_view{node.op_type() == "Resize" && graph_.opset() >= 11 ? "half_pixel" : "asymmetric"});
  const std::string rounding =
      attribute(node, "nearest_mode",
                std::string_view{places == "asymmetric" && graph_.opset() < 11 ? "floor" : "round_prefer_floor"});
  // With whole factors the middle of a small pixel lies less than half a large one from the one that it is in, and
  // never at half: both kinds of rounding to the nearest find it.
  const bool by_middle = places == "half_pixel" || places == "pytorch_half_pixel";
  const bool plain = by_middle ? rounding == "round_prefer_floor" || rounding == "round_prefer_ceil"
                               : places == "asymmetric" && rounding == "floor";
  const bool has_factors = node.op_type() == "Upsample" || graph_.opset() < 11 || !input(node, 2).empty();
  std::optional<std::vector<double>> factors;
  if (has_factors) {
    const int at = node.op_type() == "Upsample" || graph_.opset() < 11 ? 1 : 2;
    factors = has_attribute(node, "scales") ? real_attribute(node, "scales") : graph_.reals(input(node, at));
  }
  if (!plain || !factors || factors->size() != 4 || (*factors)[0] != 1 || (*factors)[1] != 1) {
    stop(node,
         fmt::format("does not repeat each pixel by factors that are written in the model ({}, {}); only that is tiled",
                     places, rounding));
  }
  const auto y = static_cast<int>((*factors)[2]);
  const auto x = static_cast<int>((*factors)[3]);
  if (y < 1 || x < 1 || y > largest_density || x > largest_density || y != (*factors)[2] || x != (*factors)[3]) {
    stop(node, fmt::format("resizes by {} × {}; only whole factors are tiled", (*factors)[2], (*factors)[3]));
  }
  const Grid& from = data(node);
  return {repeated(from.y, y), repeated(from.x, x), from.channels};
}

}  // namespace pantile::detail
