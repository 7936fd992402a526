// The walk itself, and what all its steps share.

#include "model/detail/grid_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "model/detail/walker.hpp"

namespace pantile::detail {

namespace {

const Layout& usual_layout() {
  using Kind = Atom::Kind;
  static const Layout usual{{Kind::batch}, {Kind::channels}, {Kind::row}, {Kind::column}};
  return usual;
}

}  // namespace

Layout layout_of(const Grid& grid) {
  if (!grid.layout.empty()) {
    return grid.layout;
  }
  Layout layout = usual_layout();
  layout[1].count = grid.channels;
  return layout;
}

Grid laid_out(Grid grid, Layout layout) {
  grid.channels = 1;
  for (const Atom& atom : layout) {
    grid.channels *= atom.kind == Atom::Kind::channels ? atom.count : 1;
  }
  // A dimension of 1 is a batch of one, or one channel, as one likes.
  const auto is_one = [](const Atom& atom) { return atom.kind <= Atom::Kind::channels && atom.count == 1; };
  const auto alike = [&](const Atom& a, const Atom& b) {
    return a.kind == b.kind || (is_one(a) && b.kind <= Atom::Kind::channels);
  };
  const bool usual = std::equal(layout.begin(), layout.end(), usual_layout().begin(), usual_layout().end(), alike);
  grid.layout = usual && grid.row_split == 1 && grid.column_split == 1 ? Layout{} : std::move(layout);
  return grid;
}

void stop(const onnx::NodeProto& node, std::string_view why) { throw Obstacle{fmt::format("{} {}", label(node), why)}; }

const std::map<std::string_view, Walker::Handler>& Walker::handlers() {
  static const std::map<std::string_view, Handler> table = [] {
    std::map<std::string_view, Handler> all{{"Concat", &Walker::concat},
                                            {"Conv", &Walker::convolution},
                                            {"ConvTranspose", &Walker::transposed_convolution},
                                            {"MaxPool", &Walker::pool},
                                            {"AveragePool", &Walker::pool},
                                            {"LpPool", &Walker::pool},
                                            {"DepthToSpace", &Walker::depth_to_space},
                                            {"SpaceToDepth", &Walker::space_to_depth},
                                            {"Resize", &Walker::resize},
                                            {"Upsample", &Walker::resize},
                                            {"Pad", &Walker::pad},
                                            {"Slice", &Walker::slice},
                                            {"Split", &Walker::split},
                                            {"Gather", &Walker::gather},
                                            {"Transpose", &Walker::transpose},
                                            {"Reshape", &Walker::reshape},
                                            {"Squeeze", &Walker::squeeze},
                                            {"Unsqueeze", &Walker::squeeze},
                                            {"Expand", &Walker::expand},
                                            {"MatMul", &Walker::matrix_product},
                                            {"LayerNormalization", &Walker::layer_norm},
                                            {"RMSNormalization", &Walker::layer_norm},
                                            {"Shape", &Walker::only_its_size},
                                            {"Size", &Walker::only_its_size}};
    for (const char* op : {"Abs",
                           "BatchNormalization",
                           "Cast",
                           "Ceil",
                           "Celu",
                           "Clip",
                           "Cos",
                           "Dropout",
                           "Elu",
                           "Erf",
                           "Exp",
                           "Floor",
                           "Gelu",
                           "HardSigmoid",
                           "HardSwish",
                           "Identity",
                           "LRN",
                           "LeakyRelu",
                           "Log",
                           "Mish",
                           "Neg",
                           "Not",
                           "Reciprocal",
                           "Relu",
                           "Round",
                           "Selu",
                           "Sigmoid",
                           "Sign",
                           "Sin",
                           "Softplus",
                           "Softsign",
                           "Sqrt",
                           "Swish",
                           "Tanh",
                           "ThresholdedRelu"}) {
      all.emplace(op, &Walker::unary);
    }
    for (const char* op : {"Add",   "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
                           "Mean",  "Min", "Mod", "Mul",   "Or",      "PRelu",          "Pow",  "Sub",         "Sum",
                           "Where", "Xor"}) {
      all.emplace(op, &Walker::elementwise);
    }
    for (const char* op : {"ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                           "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
      all.emplace(op, &Walker::reduce);
    }
    for (const char* op : {"Softmax", "LogSoftmax", "Hardmax", "LpNormalization"}) {
      all.emplace(op, &Walker::softmax);
    }
    for (const char* op : {"Attention", "Einsum", "Flatten", "GRU", "Gemm", "GlobalAveragePool", "GlobalLpPool",
                           "GlobalMaxPool", "If", "LSTM", "Loop", "MultiHeadAttention", "RNN", "Scan"}) {
      all.emplace(op, &Walker::whole_image);
    }
    for (const char* op : {"GroupNormalization", "InstanceNormalization", "MeanVarianceNormalization"}) {
      all.emplace(op, &Walker::normalised_by_image);
    }
    return all;
  }();
  return table;
}

Walker::Walker(const Graph& graph, const Shapes& shapes) : graph_{graph}, shapes_{shapes} {
  for (const auto* input : graph.inputs()) {
    const ImageAxes axes = image_axes(*input);
    if (!axes.is_image()) {
      continue;
    }
    const auto& shape = input->type().tensor_type().shape();
    Layout layout(static_cast<std::size_t>(shape.dim_size()));
    const auto set = [&](int axis, Atom atom) { layout[static_cast<std::size_t>(axis)] = atom; };
    set(axes.channel, {Atom::Kind::channels, std::max<std::int64_t>(1, shape.dim(axes.channel).dim_value())});
    set(axes.row, {Atom::Kind::row});
    set(axes.column, {Atom::Kind::column});
    grids_[input->name()] = laid_out({}, std::move(layout));
  }
}

void Walker::visit(const onnx::NodeProto& node) {
  const bool has_pixels =
      std::any_of(node.input().begin(), node.input().end(), [&](const auto& name) { return grid(name) != nullptr; });
  const bool has_graph = node.op_type() == "If" || node.op_type() == "Loop" || node.op_type() == "Scan";
  if (!has_pixels && !has_graph) {
    return;  // made of the whole image or of its size, if at all: whoever mixes it with pixels is asked
  }
  const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
  const auto handler = handlers().find(node.op_type());
  try {
    if (!standard || handler == handlers().end()) {
      stop(node, "is an operator through which pantile cannot follow pixels");
    }
    Output output = (this->*handler->second)(node);
    if (!output) {
      return;
    }
    if (output->y.density > largest_density * output->y.period ||
        output->x.density > largest_density * output->x.period) {
      stop(node, fmt::format("enlarges to more than {} pixels per input pixel", largest_density));
    }
    grids_[node.output(0)] = *std::move(output);
  } catch (const Obstacle& obstacle) {
    blame_ = blame_.empty() ? obstacle.text : blame_;
  }
}

const Grid* Walker::grid(std::string_view name) const {
  const auto found = grids_.find(std::string{name});
  return found == grids_.end() ? nullptr : &found->second;
}

void Walker::blame_node(const onnx::NodeProto& node, std::string_view why, bool looks_at_all) {
  std::string& blame = looks_at_all ? global_blame_ : blame_;
  if (blame.empty()) {
    blame = fmt::format("{} {}", label(node), why);
  }
}

/// The node's first input, which must be made of pixels.
const Grid& Walker::any(const onnx::NodeProto& node) const {
  const Grid* found = grid(input(node, 0));
  if (found == nullptr) {
    stop(node, "works on something that is not made of pixels");
  }
  return *found;
}

/// The same, as [batch, channels, row, column].
const Grid& Walker::data(const onnx::NodeProto& node) const {
  const Grid& found = any(node);
  if (!found.layout.empty()) {
    stop(node, "works on pixels whose dimensions are not [N, C, H, W]; not tiled by this version");
  }
  return found;
}

bool Walker::is_fixed(std::string_view name) const {
  return graph_.is_constant(name) || shapes_.numbers(name).has_value();
}

void Walker::expect_constants(const onnx::NodeProto& node, int from) const {
  for (int at = from; at < node.input_size(); ++at) {
    if (!node.input(at).empty() && !is_fixed(node.input(at))) {
      stop(node, fmt::format("takes '{}', which depends on the image", node.input(at)));
    }
  }
}

Sizes Walker::dims(const onnx::NodeProto& node, std::string_view name) const {
  const Sizes* found = shapes_.dims(name);
  if (found == nullptr) {
    stop(node, fmt::format("uses '{}', whose shape cannot be seen without running the model", name));
  }
  return *found;
}

/// Integers that are an attribute in old operator sets, and input `at` in new ones.
std::vector<std::int64_t> Walker::list(const onnx::NodeProto& node, std::string_view name, int at) const {
  if (has_attribute(node, name) || input(node, at).empty()) {
    return attribute(node, name, std::vector<std::int64_t>{});
  }
  const auto values = shapes_.numbers(input(node, at));
  if (!values) {
    stop(node, fmt::format("computes its {} while it runs", name));
  }
  std::vector<std::int64_t> whole;
  for (const double each : *values) {
    whole.push_back(as_whole(each));
  }
  return whole;
}

bool Walker::is_channel(const Layout& layout, std::int64_t axis) const {
  const std::int64_t at = axis < 0 ? axis + static_cast<std::int64_t>(layout.size()) : axis;
  return at >= 0 && at < static_cast<std::int64_t>(layout.size()) &&
         layout[static_cast<std::size_t>(at)].kind == Atom::Kind::channels;
}

Walk walk(const Graph& graph, const Shapes& shapes) {
  Walker walker{graph, shapes};
  for (const onnx::NodeProto* node : graph.nodes()) {
    walker.visit(*node);
  }
  Walk result{.outputs = {}, .layers = {}, .least_px = 1, .why_not_local = walker.blame()};
  for (const auto& output : graph.proto().output()) {
    const Grid* found = walker.grid(output.name());
    result.outputs.push_back(found == nullptr ? std::nullopt : std::optional{*found});
    if (found == nullptr && result.why_not_local.empty()) {
      result.why_not_local = fmt::format("its output '{}' does not depend on its input pixel by pixel", output.name());
    }
  }
  result.least_px = walker.least_px();
  result.layers = std::move(walker).layers();
  return result;
}

}  // namespace pantile::detail
