// Layers: what convolutions, pools and their like make of a shape.

#include "model/detail/shape_rules.hpp"

#include <algorithm>
#include <array>

namespace pantile::detail {

namespace {

/// Reach of a window along one spatial axis, and what is added at the sides.
struct Slide {
  double reach = 0;  ///< dilation · (size − 1)
  double stride = 1;
  double pads = 0;
};

Slide slide_of(const onnx::NodeProto& node, std::size_t axis, std::size_t axes, double size) {
  const auto at = [&](std::string_view name, std::size_t place, double otherwise) {
    const auto all = attribute(node, name, std::vector<std::int64_t>{});
    return place < all.size() ? static_cast<double>(all[place]) : otherwise;
  };
  return {.reach = at("dilations", axis, 1) * (size - 1),
          .stride = std::max(1.0, at("strides", axis, 1)),
          .pads = at("pads", axis, 0) + at("pads", axis + axes, 0)};
}

}  // namespace

const std::map<std::string_view, ShapeRules::Rule>& ShapeRules::rules() {
  static const std::map<std::string_view, Rule> table = [] {
    std::map<std::string_view, Rule> all{{"Conv", &ShapeRules::convolution},
                                         {"ConvInteger", &ShapeRules::convolution},
                                         {"ConvTranspose", &ShapeRules::transposed_convolution},
                                         {"Resize", &ShapeRules::resize},
                                         {"Upsample", &ShapeRules::resize},
                                         {"DepthToSpace", &ShapeRules::depth_to_space},
                                         {"SpaceToDepth", &ShapeRules::depth_to_space},
                                         {"Pad", &ShapeRules::pad},
                                         {"MatMul", &ShapeRules::matrix_product},
                                         {"Gemm", &ShapeRules::gemm},
                                         {"Constant", &ShapeRules::constant},
                                         {"Shape", &ShapeRules::shape},
                                         {"Size", &ShapeRules::size},
                                         {"Where", &ShapeRules::where},
                                         {"Cast", &ShapeRules::cast},
                                         {"Concat", &ShapeRules::concat},
                                         {"Gather", &ShapeRules::gather},
                                         {"GatherElements", &ShapeRules::gathered_by_element},
                                         {"Slice", &ShapeRules::slice},
                                         {"Split", &ShapeRules::split},
                                         {"Reshape", &ShapeRules::reshape},
                                         {"Transpose", &ShapeRules::transpose},
                                         {"Flatten", &ShapeRules::flatten},
                                         {"Squeeze", &ShapeRules::squeeze},
                                         {"Unsqueeze", &ShapeRules::unsqueeze},
                                         {"Expand", &ShapeRules::expand},
                                         {"Tile", &ShapeRules::tile},
                                         {"ConstantOfShape", &ShapeRules::filled},
                                         {"TopK", &ShapeRules::top_k}};
    for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
      all.emplace(op, &ShapeRules::pool);
    }
    for (const char* op : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) {
      all.emplace(op, &ShapeRules::global_pool);
    }
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                           "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "ArgMax", "ArgMin"}) {
      all.emplace(op, &ShapeRules::reduce);
    }
    for (const char* op : {"Add",  "And",         "BitShift", "Div",  "Equal", "Greater", "GreaterOrEqual",
                           "Less", "LessOrEqual", "Max",      "Mean", "Min",   "Mod",     "Mul",
                           "Or",   "PRelu",       "Pow",      "Sub",  "Sum",   "Xor"}) {
      all.emplace(op, &ShapeRules::elementwise);
    }
    for (const char* op : {"Ceil", "Floor", "Identity", "Neg", "Round", "Sqrt", "Abs"}) {
      all.emplace(op, &ShapeRules::rounding);
    }
    return all;
  }();
  return table;
}

void ShapeRules::visit(const onnx::NodeProto& node) {
  if (node.output_size() == 0) {
    return;
  }
  // Of most other operators the first output has the shape of the first input: activations, normalisations.
  static constexpr std::array<std::string_view, 40> keep_shape{"Acos",
                                                               "Asin",
                                                               "Atan",
                                                               "BatchNormalization",
                                                               "Celu",
                                                               "Clip",
                                                               "Cos",
                                                               "CumSum",
                                                               "DequantizeLinear",
                                                               "Dropout",
                                                               "Elu",
                                                               "Erf",
                                                               "Exp",
                                                               "FastGelu",
                                                               "Gelu",
                                                               "GroupNormalization",
                                                               "HardSigmoid",
                                                               "HardSwish",
                                                               "Hardmax",
                                                               "InstanceNormalization",
                                                               "IsNaN",
                                                               "LRN",
                                                               "LayerNormalization",
                                                               "LeakyRelu",
                                                               "Log",
                                                               "LogSoftmax",
                                                               "LpNormalization",
                                                               "MeanVarianceNormalization",
                                                               "Mish",
                                                               "Not",
                                                               "QuantizeLinear",
                                                               "Reciprocal",
                                                               "Relu",
                                                               "RMSNormalization",
                                                               "Selu",
                                                               "Sigmoid",
                                                               "Sign",
                                                               "Sin",
                                                               "Softmax",
                                                               "Tanh"};
  static constexpr std::array<std::string_view, 8> further{"Softplus",  "Softsign",        "ThresholdedRelu", "Trilu",
                                                           "ScatterND", "ScatterElements", "Swish",           "Sinh"};
  Known out;
  const auto first = shapes_.known_.find(std::string{input(node, 0)});
  out.type = first == shapes_.known_.end() ? 0 : first->second.type;
  const auto rule = rules().find(node.op_type());
  const auto listed = [&](const auto& ops) { return std::find(ops.begin(), ops.end(), node.op_type()) != ops.end(); };
  if (rule != rules().end()) {
    (this->*rule->second)(node, out);
  } else if (listed(keep_shape) || listed(further)) {
    out.dims = first == shapes_.known_.end() ? std::nullopt : first->second.dims;
  }
  if (out.values && out.values->size() > 64) {
    out.values.reset();
  }
  if (node.output(0).empty() || (node.op_type() == "Split" && shapes_.known_.contains(node.output(0)))) {
    return;
  }
  shapes_.known_.insert_or_assign(node.output(0), std::move(out));
}

std::optional<std::vector<std::int64_t>> ShapeRules::list(const onnx::NodeProto& node, std::string_view name,
                                                          int at) const {
  if (has_attribute(node, name)) {
    return attribute(node, name, std::vector<std::int64_t>{});
  }
  const auto numbers = shapes_.numbers(input(node, at));
  if (!numbers) {
    return std::nullopt;
  }
  std::vector<std::int64_t> whole;
  for (const double each : *numbers) {
    whole.push_back(as_whole(each));
  }
  return whole;
}

void ShapeRules::convolution(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* weights = dims(node, 1);
  if (from == nullptr || weights == nullptr || from->size() != weights->size() || from->size() < 3) {
    return;
  }
  const std::size_t axes = from->size() - 2;
  const std::string auto_pad = attribute(node, "auto_pad", std::string_view{"NOTSET"});
  out.dims = Sizes{(*from)[0], (*weights)[0]};
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const Slide slide = slide_of(node, axis, axes, (*weights)[axis + 2].at);
    const Size& length = (*from)[axis + 2];
    const double pads = auto_pad == "VALID" ? 0 : slide.pads;
    out.dims->push_back(auto_pad.starts_with("SAME")
                            ? rounded_up(length / number(slide.stride), shapes_.all_claims_)
                            : floored((length + number(pads - slide.reach - 1)) / number(slide.stride)) + number(1));
  }
}

void ShapeRules::transposed_convolution(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* weights = dims(node, 1);
  if (from == nullptr || weights == nullptr || from->size() != weights->size() || from->size() < 3) {
    return;
  }
  const std::size_t axes = from->size() - 2;
  const auto extra = attribute(node, "output_padding", std::vector<std::int64_t>{});
  const auto asked = attribute(node, "output_shape", std::vector<std::int64_t>{});
  const bool same = attribute(node, "auto_pad", std::string_view{"NOTSET"}).starts_with("SAME");
  out.dims = Sizes{(*from)[0], (*weights)[1] * number(static_cast<double>(attribute(node, "group", std::int64_t{1})))};
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const Slide slide = slide_of(node, axis, axes, (*weights)[axis + 2].at);
    const Size stretched = (*from)[axis + 2] * number(slide.stride);
    const double more = axis < extra.size() ? static_cast<double>(extra[axis]) : 0;
    out.dims->push_back(axis < asked.size() ? number(static_cast<double>(asked[axis]))
                        : same              ? stretched
                                            : stretched + number(slide.reach + 1 - slide.stride - slide.pads + more));
  }
}

void ShapeRules::pool(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const auto kernel = attribute(node, "kernel_shape", std::vector<std::int64_t>{});
  if (from == nullptr || from->size() != kernel.size() + 2) {
    return;
  }
  const bool up = attribute(node, "ceil_mode", std::int64_t{0}) != 0;
  const bool same = attribute(node, "auto_pad", std::string_view{"NOTSET"}).starts_with("SAME");
  out.dims = Sizes{(*from)[0], (*from)[1]};
  for (std::size_t axis = 0; axis < kernel.size(); ++axis) {
    const Slide slide = slide_of(node, axis, kernel.size(), static_cast<double>(kernel[axis]));
    const Size& length = (*from)[axis + 2];
    const Size strides = (length + number(slide.pads - slide.reach - 1)) / number(slide.stride);
    out.dims->push_back(same ? rounded_up(length / number(slide.stride), shapes_.all_claims_)
                        : up ? rounded_up(strides, shapes_.all_claims_) + number(1)
                             : floored(strides) + number(1));
  }
  for (int at = 1; at < node.output_size(); ++at) {
    shapes_.known_.insert_or_assign(node.output(at),
                                    Known{.dims = out.dims, .values = {}, .type = onnx::TensorProto::INT64});
  }
}

void ShapeRules::global_pool(const onnx::NodeProto& node, Known& out) {
  if (const Sizes* from = dims(node, 0); from != nullptr && from->size() >= 2) {
    out.dims = Sizes(from->size(), number(1));
    (*out.dims)[0] = (*from)[0];
    (*out.dims)[1] = (*from)[1];
  }
}

void ShapeRules::resize(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  if (from == nullptr) {
    return;
  }
  const bool old = node.op_type() == "Upsample" || shapes_.graph_.opset() < 11;
  auto axes = attribute(node, "axes", std::vector<std::int64_t>{});
  for (std::size_t at = 0; axes.size() == at && at < from->size() && !has_attribute(node, "axes"); ++at) {
    axes.push_back(static_cast<std::int64_t>(at));
  }
  Sizes factors;
  if (has_attribute(node, "scales")) {
    for (const double each : real_attribute(node, "scales")) {
      factors.push_back(number(each));
    }
  } else if (const Sizes* given = values(node, old ? 1 : 2)) {
    factors = *given;
  }
  const Sizes* sizes = values(node, 3);
  if ((sizes == nullptr || sizes->size() != axes.size()) && factors.size() != axes.size()) {
    return;
  }
  out.dims = *from;
  for (std::size_t at = 0; at < axes.size(); ++at) {
    const std::int64_t axis = axes[at] < 0 ? axes[at] + static_cast<std::int64_t>(from->size()) : axes[at];
    if (axis < 0 || axis >= static_cast<std::int64_t>(from->size())) {
      out.dims.reset();
      return;
    }
    Size& length = (*out.dims)[static_cast<std::size_t>(axis)];
    length = factors.size() == axes.size() ? floored(length * factors[at]) : (*sizes)[at];
  }
}

void ShapeRules::depth_to_space(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Size block = number(static_cast<double>(attribute(node, "blocksize", std::int64_t{1})));
  if (from == nullptr || from->size() != 4 || block.offset < 1) {
    return;
  }
  const bool up = node.op_type() == "DepthToSpace";
  out.dims = *from;
  (*out.dims)[1] = up ? (*from)[1] / (block * block) : (*from)[1] * block * block;
  for (const std::size_t axis : {2U, 3U}) {
    (*out.dims)[axis] = up ? (*from)[axis] * block : floored((*from)[axis] / block);
  }
}

void ShapeRules::pad(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* pads = values(node, 1);
  Sizes written;
  for (const char* name : {"pads", "paddings"}) {
    for (const auto each : attribute(node, name, std::vector<std::int64_t>{})) {
      written.push_back(number(static_cast<double>(each)));
    }
  }
  if (!written.empty()) {
    pads = &written;
  }
  if (from == nullptr || pads == nullptr || pads->size() != 2 * from->size() || !input(node, 3).empty()) {
    return;
  }
  out.dims = *from;
  for (std::size_t axis = 0; axis < from->size(); ++axis) {
    (*out.dims)[axis] = (*from)[axis] + (*pads)[axis] + (*pads)[axis + from->size()];
  }
}

void ShapeRules::matrix_product(const onnx::NodeProto& node, Known& out) {
  const Sizes* a = dims(node, 0);
  const Sizes* b = dims(node, 1);
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) {
    return;
  }
  auto batch = broadcast(Sizes(a->begin(), a->end() - 2), Sizes(b->begin(), b->end() - 2));
  if (batch) {
    batch->push_back((*a)[a->size() - 2]);
    batch->push_back(b->back());
    out.dims = std::move(batch);
  }
}

void ShapeRules::gemm(const onnx::NodeProto& node, Known& out) {
  const Sizes* a = dims(node, 0);
  const Sizes* b = dims(node, 1);
  if (a != nullptr && b != nullptr && a->size() == 2 && b->size() == 2) {
    out.dims = Sizes{attribute(node, "transA", std::int64_t{0}) != 0 ? (*a)[1] : (*a)[0],
                     attribute(node, "transB", std::int64_t{0}) != 0 ? (*b)[0] : (*b)[1]};
  }
}

void ShapeRules::reduce(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const bool finds_place = node.op_type().starts_with("Arg");
  if (finds_place) {
    out.type = onnx::TensorProto::INT64;
  }
  std::optional<std::vector<std::int64_t>> axes;
  if (finds_place) {
    axes = std::vector<std::int64_t>{attribute(node, "axis", std::int64_t{0})};
  } else {
    axes = list(node, "axes", 1);
    if (!axes && !input(node, 1).empty()) {
      return;
    }
  }
  if (from == nullptr) {
    return;
  }
  const bool all = !axes || axes->empty();
  if (all && attribute(node, "noop_with_empty_axes", std::int64_t{0}) != 0) {
    out.dims = *from;
    return;
  }
  const bool keeps = attribute(node, "keepdims", std::int64_t{1}) != 0;
  out.dims.emplace();
  for (std::size_t axis = 0; axis < from->size(); ++axis) {
    const auto named = [&](std::int64_t each) {
      return (each < 0 ? each + static_cast<std::int64_t>(from->size()) : each) == static_cast<std::int64_t>(axis);
    };
    if (!all && std::none_of(axes->begin(), axes->end(), named)) {
      out.dims->push_back((*from)[axis]);
    } else if (keeps) {
      out.dims->push_back(number(1));
    }
  }
  const Sizes* numbers = values(node, 0);
  if (node.op_type() == "ReduceProd" && numbers != nullptr && out.dims->empty()) {
    Size product = number(1);
    for (const Size& each : *numbers) {
      product = product * each;
    }
    out.values = Sizes{product};
  }
}

}  // namespace pantile::detail
