// Pixel by pixel, and what looks at all pixels.

#include <fmt/format.h>

#include <algorithm>

#include "model/detail/walker.hpp"

namespace pantile::detail {

namespace {

bool is_spatial(const Atom& atom) { return atom.kind != Atom::Kind::batch && atom.kind != Atom::Kind::channels; }

}  // namespace

/// A constant may differ between channels, but a map over the pixels would pin the model to one place and size.
void Walker::spread_constant(const onnx::NodeProto& node, std::string_view constant, Layout& layout) const {
  const Sizes shape = dims(node, constant);
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    const Size& dim = shape[shape.size() - back];
    if (dim == number(1)) {
      continue;
    }
    if (back > layout.size() || layout[layout.size() - back].kind == Atom::Kind::batch) {
      stop(node, fmt::format("uses the constant '{}', which stands for more than one image", constant));
    }
    Atom& atom = layout[layout.size() - back];
    if (is_spatial(atom) || !dim.is_number()) {
      stop(node, fmt::format("uses the constant '{}', which is a map of fixed size over the pixels", constant));
    }
    atom.count = std::max(atom.count, as_whole(dim.offset));
  }
}

Walker::Output Walker::unary(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  bool trains = attribute(node, "training_mode", std::int64_t{0}) != 0;
  if (node.op_type() == "Dropout" && !input(node, 2).empty()) {
    const auto mode = shapes_.numbers(input(node, 2));  // an input since version 12
    trains = trains || !mode || mode->size() != 1 || mode->front() != 0;
  }
  if (trains) {
    blame_node(node, "is in training mode, where it looks at the whole image", true);
  }
  return any(node);
}

Grid Walker::merged_grids(const onnx::NodeProto& node, const Grid& a, const Grid& b) const {
  const auto y = merged(a.y, b.y);
  const auto x = merged(a.x, b.x);
  Layout left = layout_of(a);
  Layout right = layout_of(b);
  if (left.size() < right.size()) {
    std::swap(left, right);
  }
  const auto fits = [](Atom& mine, const Atom& other) {
    const bool mine_is_one = !is_spatial(mine) && mine.count == 1;
    const bool other_is_one = !is_spatial(other) && other.count == 1;
    if (mine_is_one && !other_is_one) {
      mine = other;
      return true;
    }
    return other_is_one || mine == other;
  };
  bool all_fit = y && x && a.row_split == b.row_split && a.column_split == b.column_split;
  for (std::size_t back = 1; back <= right.size(); ++back) {
    all_fit = all_fit && fits(left[left.size() - back], right[right.size() - back]);
  }
  if (!all_fit) {
    stop(node, "combines tensors of different extents");
  }
  return laid_out(
      {.y = *y, .x = *x, .channels = 0, .layout = {}, .row_split = a.row_split, .column_split = a.column_split}, left);
}

Walker::Output Walker::elementwise(const onnx::NodeProto& node) {
  Output all;
  for (const auto& name : node.input()) {
    if (const Grid* each = grid(name)) {
      all = all ? merged_grids(node, *all, *each) : *each;
    }
  }
  Layout layout = layout_of(*all);
  for (const auto& name : node.input()) {
    if (grid(name) != nullptr || name.empty()) {
      continue;
    }
    if (is_fixed(name)) {
      spread_constant(node, name, layout);
    } else {
      blame_node(node, fmt::format("uses '{}', which is made of the whole image or of its size", name), false);
    }
  }
  return laid_out(*std::move(all), layout);
}

Walker::Output Walker::concat(const onnx::NodeProto& node) {
  Output all;
  std::int64_t joined = 0;
  const std::int64_t axis = attribute(node, "axis", std::int64_t{1});
  for (const auto& name : node.input()) {
    const Grid* each = grid(name);
    if (each == nullptr) {
      stop(node, fmt::format("joins '{}' to the pixels, which is {}", name,
                             is_fixed(name) ? "a constant" : "not made of pixels"));
    }
    Layout layout = layout_of(*each);
    if (!is_channel(layout, axis)) {
      stop(node, "joins tensors along another axis than the channels");
    }
    Atom& atom = layout[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(layout.size()) : axis)];
    joined += atom.count;
    atom.count = 1;  // the other dimensions must agree
    const Grid rest = laid_out(*each, layout);
    all = all ? merged_grids(node, *all, rest) : rest;
  }
  Layout layout = layout_of(*all);
  layout[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(layout.size()) : axis)].count = joined;
  return laid_out(*std::move(all), layout);
}

Walker::Output Walker::softmax(const onnx::NodeProto& node) {
  // Before version 13 all axes from `axis` on were taken together.
  const bool old = graph_.opset() < 13 && node.op_type() != "LpNormalization";
  const std::int64_t axis = attribute(node, "axis", std::int64_t{old ? 1 : -1});
  const Layout layout = layout_of(any(node));
  const auto rank = static_cast<std::int64_t>(layout.size());
  const bool last = axis == -1 || axis == rank - 1;
  if ((old && !last) || !is_channel(layout, axis)) {
    blame_node(node, "looks at the whole image: it sums over the pixels, not over the channels alone", true);
  }
  return any(node);
}

Walker::Output Walker::layer_norm(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  const Layout layout = layout_of(any(node));
  const std::int64_t axis = attribute(node, "axis", std::int64_t{-1});
  const std::int64_t first = axis < 0 ? axis + static_cast<std::int64_t>(layout.size()) : axis;
  for (std::int64_t at = first; at < static_cast<std::int64_t>(layout.size()); ++at) {
    if (!is_channel(layout, at)) {
      blame_node(node, "looks at the whole image: it normalises over the pixels, not over the channels alone", true);
    }
  }
  return any(node);
}

Walker::Output Walker::reduce(const onnx::NodeProto& node) {
  const bool finds_place = node.op_type().starts_with("Arg");
  const auto axes =
      finds_place ? std::vector<std::int64_t>{attribute(node, "axis", std::int64_t{0})} : list(node, "axes", 1);
  Layout layout = layout_of(any(node));
  const bool all_channels =
      std::all_of(axes.begin(), axes.end(), [&](std::int64_t axis) { return is_channel(layout, axis); });
  if (axes.empty() || !all_channels) {
    blame_node(node, "looks at the whole image: it reduces over the pixels, not over the channels alone", true);
    return std::nullopt;
  }
  std::vector<bool> gone(layout.size(), false);
  for (const std::int64_t axis : axes) {
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(layout.size()) : axis);
    layout[at].count = 1;
    gone[at] = attribute(node, "keepdims", std::int64_t{1}) == 0;
  }
  Layout kept;
  for (std::size_t at = 0; at < layout.size(); ++at) {
    if (!gone[at]) {
      kept.push_back(layout[at]);
    }
  }
  return laid_out(any(node), kept);
}

/// A matrix of constants on the channels is a convolution of 1 × 1. All else mixes pixels.
Walker::Output Walker::matrix_product(const onnx::NodeProto& node) {
  const std::string_view matrix = input(node, 1);
  const Grid* from = grid(input(node, 0));
  if (from == nullptr || !graph_.is_constant(matrix) || !is_channel(layout_of(*from), -1) ||
      dims(node, matrix).size() != 2) {
    return whole_image(node);
  }
  const Sizes shape = dims(node, matrix);
  Layout layout = layout_of(*from);
  layout.back().count = as_whole(shape[1].offset);
  Grid output = laid_out(*from, layout);
  add_cost(output, shape[0].offset * shape[1].offset);
  return output;
}

Walker::Output Walker::whole_image(const onnx::NodeProto& node) {
  blame_node(node,
             node.op_type() == "If" || node.op_type() == "Loop" || node.op_type() == "Scan"
                 ? "holds a graph of its own, through which pantile does not follow pixels"
                 : "looks at the whole image, so that an output pixel depends on all of it",
             true);
  return std::nullopt;
}

Walker::Output Walker::normalised_by_image(const onnx::NodeProto& node) {
  whole_image(node);
  return any(node);
}

Walker::Output Walker::only_its_size(const onnx::NodeProto& /*node*/) { return std::nullopt; }

}  // namespace pantile::detail
