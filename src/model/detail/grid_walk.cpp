#include "model/detail/grid_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "model/detail/walker.hpp"

namespace pantile::detail {

void stop(const onnx::NodeProto& node, std::string_view why) { throw Obstacle{fmt::format("{} {}", label(node), why)}; }

const std::map<std::string_view, Walker::Handler>& Walker::handlers() {
  static const std::map<std::string_view, Handler> table = [] {
    std::map<std::string_view, Handler> all{{"Concat", &Walker::concat},
                                            {"Conv", &Walker::convolution},
                                            {"ConvTranspose", &Walker::transposed_convolution},
                                            {"MaxPool", &Walker::pool},
                                            {"AveragePool", &Walker::pool},
                                            {"DepthToSpace", &Walker::depth_to_space},
                                            {"SpaceToDepth", &Walker::space_to_depth},
                                            {"Resize", &Walker::resize},
                                            {"Upsample", &Walker::resize},
                                            {"Pad", &Walker::pad},
                                            {"Slice", &Walker::slice},
                                            {"Softmax", &Walker::softmax},
                                            {"LogSoftmax", &Walker::softmax}};
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
                           "Tanh",
                           "ThresholdedRelu"}) {
      all.emplace(op, &Walker::unary);
    }
    for (const char* op : {"Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum"}) {
      all.emplace(op, &Walker::elementwise);
    }
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"}) {
      all.emplace(op, &Walker::reduce);
    }
    return all;
  }();
  return table;
}

void Walker::visit(const onnx::NodeProto& node) {
  const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
  const auto handler = handlers().find(node.op_type());
  if (!standard || handler == handlers().end()) {
    stop(node, "is an operator through which pantile cannot follow pixels");
  }
  Grid output = (this->*handler->second)(node);
  if (std::max(output.y.density, output.x.density) > largest_density) {
    stop(node, fmt::format("enlarges to more than {} pixels per input pixel", largest_density));
  }
  grids_[node.output(0)] = std::move(output);
}

const Grid* Walker::grid(std::string_view name) const {
  const auto found = grids_.find(std::string{name});
  return found == grids_.end() ? nullptr : &found->second;
}

/// The node's first input, which must be made of pixels.
const Grid& Walker::data(const onnx::NodeProto& node) const {
  const Grid* found = grid(input(node, 0));
  if (found == nullptr) {
    stop(node, "works on something that is not made of pixels");
  }
  return *found;
}

void Walker::expect_constants(const onnx::NodeProto& node, int from) const {
  for (int at = from; at < node.input_size(); ++at) {
    if (!node.input(at).empty() && !graph_.is_constant(node.input(at))) {
      stop(node, fmt::format("takes '{}', which depends on the image", node.input(at)));
    }
  }
}

/// A constant may differ between channels, but a map over the pixels would pin the model to one place and size.
void Walker::expect_no_map(const onnx::NodeProto& node, std::string_view constant) const {
  const auto dims = graph_.dims(constant);
  if (!dims) {
    stop(node, fmt::format("uses the constant '{}', whose shape cannot be seen without running the model", constant));
  }
  const std::size_t spatial = std::min<std::size_t>(dims->size(), 2);
  if (std::any_of(dims->end() - static_cast<std::ptrdiff_t>(spatial), dims->end(), [](auto dim) { return dim != 1; })) {
    stop(node, fmt::format("uses the constant '{}', which is a map of fixed size over the pixels", constant));
  }
}

/// How many channels a constant has, to which a tensor of one channel is spread.
std::int64_t Walker::channels_of(const onnx::NodeProto& node, std::string_view constant) const {
  const std::vector<std::int64_t> dims = *graph_.dims(constant);
  if (dims.size() > 4 || (dims.size() == 4 && dims[0] != 1)) {
    stop(node, fmt::format("uses the constant '{}', which stands for more than one image", constant));
  }
  return dims.size() < 3 ? 1 : dims[dims.size() - 3];
}

/// Integers that are an attribute in old operator sets, and input `at` in new ones.
std::vector<std::int64_t> Walker::list(const onnx::NodeProto& node, std::string_view name, int at) const {
  if (has_attribute(node, name) || input(node, at).empty()) {
    return attribute(node, name, std::vector<std::int64_t>{});
  }
  const auto values = graph_.integers(input(node, at));
  if (!values) {
    stop(node, fmt::format("computes its {} while it runs", name));
  }
  return *values;
}

Grid Walker::unary(const onnx::NodeProto& node) {
  expect_constants(node, 1);
  if (attribute(node, "training_mode", std::int64_t{0}) != 0) {
    stop(node, "is in training mode, where it looks at the whole image");
  }
  return data(node);
}

Grid Walker::elementwise(const onnx::NodeProto& node) {
  std::optional<Grid> all;
  std::int64_t constant_channels = 1;
  for (const auto& name : node.input()) {
    if (graph_.is_constant(name)) {
      expect_no_map(node, name);
      constant_channels = std::max(constant_channels, channels_of(node, name));
      continue;
    }
    const Grid* each = grid(name);
    if (each == nullptr) {
      stop(node, fmt::format("uses '{}', which is not made of pixels", name));
    }
    if (!all) {
      all = *each;
      continue;
    }
    const auto y = merged(all->y, each->y);
    const auto x = merged(all->x, each->x);
    if (!y || !x) {
      stop(node, "combines tensors of different extents");
    }
    all = Grid{*y, *x, std::max(all->channels, each->channels)};
  }
  all->channels = std::max(all->channels, constant_channels);
  return *all;  // the node is on a path from the input, so one of its inputs is made of pixels
}

Grid Walker::concat(const onnx::NodeProto& node) {
  const std::int64_t axis = attribute(node, "axis", std::int64_t{1});
  if (axis != 1 && axis != -3) {
    stop(node, "joins tensors along another axis than the channels");
  }
  for (const auto& name : node.input()) {
    if (graph_.is_constant(name)) {
      stop(node, fmt::format("joins the constant '{}' to the pixels", name));
    }
  }
  Grid joined = elementwise(node);
  joined.channels = 0;
  for (const auto& name : node.input()) {
    joined.channels += grid(name)->channels;
  }
  return joined;
}

Grid Walker::pad(const onnx::NodeProto& node) {
  const std::string mode = attribute(node, "mode", std::string_view{"constant"});
  const auto pads = list(node, "pads", 1);
  expect_constants(node, 1);
  if (std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad < -largest_reach || pad > largest_reach; })) {
    stop(node, "pads more than makes sense on an image");
  }
  if (pads.size() != 8 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0 || !input(node, 3).empty()) {
    stop(node, "pads something else than the sides of the image");
  }
  if (mode != "constant" && mode != "edge" && mode != "reflect") {
    stop(node, fmt::format("pads with what lies at the other end ({})", mode));
  }
  const Grid& from = data(node);
  return {padded(from.y, static_cast<int>(pads[2]), static_cast<int>(pads[6])),
          padded(from.x, static_cast<int>(pads[3]), static_cast<int>(pads[7])), from.channels};
}

Grid Walker::slice(const onnx::NodeProto& node) {
  const auto starts = list(node, "starts", 1);
  const auto ends = list(node, "ends", 2);
  auto axes = list(node, "axes", 3);
  const auto steps = list(node, "steps", 4);
  for (std::size_t at = axes.size(); at < starts.size() && axes.size() == at; ++at) {
    axes.push_back(static_cast<std::int64_t>(at));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      std::any_of(steps.begin(), steps.end(), [](auto step) { return step != 1; })) {
    stop(node, "does not cut out one piece; not tiled by this version");
  }
  Grid output = data(node);
  for (std::size_t at = 0; at < starts.size(); ++at) {
    const std::int64_t axis = axes[at] < 0 ? axes[at] + 4 : axes[at];
    if (axis == 1) {
      const auto clamp = [&](std::int64_t place) {
        return std::clamp<std::int64_t>(place < 0 ? place + output.channels : place, 0, output.channels);
      };
      output.channels = std::max<std::int64_t>(0, clamp(ends[at]) - clamp(starts[at]));
      continue;
    }
    const bool to_the_end = ends[at] >= INT32_MAX;
    if (axis < 2 || starts[at] < 0 || starts[at] > INT16_MAX || ends[at] < -INT16_MAX ||
        (ends[at] >= 0 && !to_the_end)) {
      stop(node, "cuts at a fixed place instead of at a distance from the sides");
    }
    AxisMap& map = axis == 2 ? output.y : output.x;
    map = padded(map, static_cast<int>(-starts[at]), to_the_end ? 0 : static_cast<int>(ends[at]));
  }
  return output;
}

Grid Walker::softmax(const onnx::NodeProto& node) {
  // Before version 13 all axes from `axis` on were taken together.
  const std::int64_t axis = attribute(node, "axis", std::int64_t{graph_.opset() >= 13 ? -1 : 1});
  if (graph_.opset() < 13 || (axis != 1 && axis != -3)) {
    stop(node, "looks at the whole image: it sums over the pixels, not over the channels alone");
  }
  return data(node);
}

Grid Walker::reduce(const onnx::NodeProto& node) {
  const auto axes = list(node, "axes", 1);
  if (axes.size() != 1 || (axes[0] != 1 && axes[0] != -3)) {
    stop(node, "looks at the whole image: it reduces over the pixels, not over the channels alone");
  }
  if (attribute(node, "keepdims", std::int64_t{1}) == 0) {
    stop(node, "drops the axis of the channels");
  }
  Grid output = data(node);
  output.channels = 1;
  return output;
}

std::variant<WalkResult, Obstacle> walk(const Graph& graph, std::int64_t channels) {
  Walker walker{graph, channels};
  try {
    for (const onnx::NodeProto* node : graph.nodes()) {
      walker.visit(*node);
    }
  } catch (const Obstacle& obstacle) {
    return obstacle;
  }
  const Grid* output = walker.grid(graph.proto().output(0).name());
  if (output == nullptr) {
    return Obstacle{"its output does not depend on its input pixel by pixel"};
  }
  Grid result = *output;
  return WalkResult{std::move(result), std::move(walker).layers()};
}

}  // namespace pantile::detail
