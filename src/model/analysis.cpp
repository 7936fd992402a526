#include "model/analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "model/detail/graph.hpp"
#include "model/detail/grid_walk.hpp"

namespace pantile {

using detail::AxisMap;
using detail::Graph;

namespace {

/// Operators for which each output value depends on the whole image, or on a vector made of it.
constexpr std::array<std::string_view, 17> global_operators{"Attention",
                                                            "Einsum",
                                                            "Flatten",
                                                            "GRU",
                                                            "Gemm",
                                                            "GlobalAveragePool",
                                                            "GlobalLpPool",
                                                            "GlobalMaxPool",
                                                            "GroupNormalization",
                                                            "InstanceNormalization",
                                                            "LSTM",
                                                            "LayerNormalization",
                                                            "MatMul",
                                                            "MeanVarianceNormalization",
                                                            "MultiHeadAttention",
                                                            "RNN",
                                                            "RMSNormalization"};

onnx::ModelProto parse(std::span<const std::byte> bytes, std::string_view name) {
  onnx::ModelProto model;
  const bool parsed = bytes.size() <= INT32_MAX && model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  // Any few bytes may be a valid message of unknown fields: only a graph with an output makes it a model.
  if (!parsed || !model.has_graph() || model.graph().output_size() == 0 || model.opset_import_size() == 0) {
    const std::string_view why = bytes.empty()              ? "the file is empty"
                                 : bytes.size() > INT32_MAX ? "it is larger than 2 GiB, the limit of the format"
                                 : parsed                   ? "it holds no graph"
                                                            : "it is damaged, cut short, or another kind of file";
    throw UsageError{
        fmt::format("{} is not an ONNX model: {}. Export the network with opset 11 or newer, for instance "
                    "with torch.onnx.export.",
                    name, why)};
  }
  return model;
}

std::string dim_text(const onnx::TensorShapeProto& shape) {
  std::vector<std::string> dims;
  for (const auto& dim : shape.dim()) {
    dims.push_back(dim.has_dim_value()       ? std::to_string(dim.dim_value())
                   : dim.dim_param().empty() ? "?"
                                             : dim.dim_param());
  }
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

template <class Values, class Name>
std::string names(const Values& values, Name name_of) {
  std::vector<std::string> all;
  for (const auto& value : values) {
    all.push_back(name_of(value));
  }
  return fmt::format("{}", fmt::join(all, ", "));
}

/// The one image that the model takes; returns its channels.
std::int64_t check_input(const Graph& graph, std::string_view name) {
  if (graph.inputs().size() != 1) {
    throw UsageError{
        fmt::format("{} has {} inputs ({}): pantile gives a model one image [N, C, H, W]. Export it with one "
                    "input.",
                    name, graph.inputs().size(), names(graph.inputs(), [](auto* value) { return value->name(); }))};
  }
  const onnx::ValueInfoProto& input = *graph.inputs().front();
  const auto& type = input.type().tensor_type();
  const auto& shape = type.shape();
  if (!type.has_shape() || shape.dim_size() != 4) {
    throw UsageError{fmt::format("{}: its input '{}' is {}, not an image [N, C, H, W] of 4 dimensions.", name,
                                 input.name(), type.has_shape() ? dim_text(shape) : "of unknown shape")};
  }
  if (type.elem_type() != onnx::TensorProto::FLOAT) {
    throw UsageError{
        fmt::format("{}: its input '{}' is not float32, which is all that this version feeds. Export it in "
                    "float32.",
                    name, input.name())};
  }
  if (shape.dim(1).dim_value() < 1 || shape.dim(1).dim_value() > 4096) {
    throw UsageError{fmt::format("{}: its input '{}' is {}: the number of channels must be written in the model.", name,
                                 input.name(), dim_text(shape))};
  }
  if (shape.dim(2).has_dim_value() || shape.dim(3).has_dim_value() || shape.dim(0).dim_value() > 1) {
    throw UsageError{
        fmt::format("{}: its input '{}' has the fixed size {}: pantile gives a model tiles of any size. Export "
                    "it with dynamic N, H and W.",
                    name, input.name(), dim_text(shape))};
  }
  return shape.dim(1).dim_value();
}

void check_output(const Graph& graph, std::string_view name) {
  const auto& outputs = graph.proto().output();
  if (outputs.size() != 1) {
    throw UsageError{
        fmt::format("{} has {} outputs ({}): this version takes models with one. Export it with one output.", name,
                    outputs.size(), names(outputs, [](const auto& value) { return value.name(); }))};
  }
  const int type = outputs[0].type().tensor_type().elem_type();
  if (type != onnx::TensorProto::FLOAT && type != onnx::TensorProto::UNDEFINED) {
    throw UsageError{
        fmt::format("{}: its output '{}' is not float32, which is all that this version takes. Export it in "
                    "float32.",
                    name, outputs[0].name())};
  }
}

void check_weights(const Graph& graph, std::string_view name) {
  if (const std::string_view tensor = graph.external_tensor(); !tensor.empty()) {
    throw UsageError{
        fmt::format("{} keeps weights in other files ('{}' and maybe more), which this version does not read. "
                    "Save it as one file: onnx.save(onnx.load(PATH), PATH2).",
                    name, tensor)};
  }
}

/// How one axis is tiled: output pixel scale·q + phase belongs to image pixel q + before.
struct AxisGeometry {
  int scale = 1;
  int before = 0;
  int after = 0;
  bool padded = false;  ///< the output has scale × n pixels, of which those at the sides saw padding
};

std::variant<AxisGeometry, std::string> axis_geometry(const AxisMap& map) {
  const detail::Window seen = map.hull();
  const int scale = map.density;
  if (seen.first > seen.last) {
    return "its output does not depend on the image";
  }
  if (map.offset % scale != 0) {
    return fmt::format(
        "its output has {}·n − {} pixels for n input pixels a side, which is no whole number of input pixels", scale,
        -map.offset);
  }
  const std::int64_t shrink = -map.offset / scale;
  const bool clean = map.unclean_begin == 0 && map.unclean_end == 0;
  if (clean && shrink >= 0) {
    const std::int64_t before = std::clamp<std::int64_t>((seen.first + seen.last) / 2, 0, shrink);
    return AxisGeometry{scale, static_cast<int>(before), static_cast<int>(shrink - before), false};
  }
  if (shrink == 0) {
    // Enough to see all that matters, and to hide what saw padding at the tile's own edges. The first is the larger one
    // unless a layer crops what a later one pads.
    const auto hides = [scale](std::int64_t unclean) { return (unclean + scale - 1) / scale; };
    return AxisGeometry{scale, static_cast<int>(std::max<std::int64_t>(hides(map.unclean_begin), -seen.first)),
                        static_cast<int>(std::max<std::int64_t>(hides(map.unclean_end), seen.last)), true};
  }
  return fmt::format(
      "it pads some layers and not others: {} pixels of its output saw padding at the sides, and it {} by "
      "{} input pixels; not tiled by this version",
      map.unclean_begin + map.unclean_end, shrink > 0 ? "shrinks" : "grows", shrink > 0 ? shrink : -shrink);
}

std::variant<TileGeometry, std::string> tile_geometry(const detail::Grid& output) {
  const auto y = axis_geometry(output.y);
  const auto x = axis_geometry(output.x);
  for (const auto* axis : {&y, &x}) {
    if (const auto* why = std::get_if<std::string>(axis)) {
      return *why;
    }
  }
  const auto& rows = std::get<AxisGeometry>(y);
  const auto& columns = std::get<AxisGeometry>(x);
  const auto shrinks = [](const AxisGeometry& axis) { return !axis.padded && axis.before + axis.after > 0; };
  if (rows.scale != columns.scale) {
    return fmt::format("it enlarges the height {} times and the width {} times", rows.scale, columns.scale);
  }
  if ((rows.padded && shrinks(columns)) || (columns.padded && shrinks(rows))) {
    return std::string{"it pads along one axis and shrinks along the other; not tiled by this version"};
  }
  // Of a model that looks at single pixels both are true. Called `same`, it needs no border.
  const bool valid = shrinks(rows) || shrinks(columns);
  return TileGeometry{
      .scale = rows.scale,
      .halo = {.top = rows.before, .left = columns.before, .bottom = rows.after, .right = columns.after},
      .padding = valid ? Padding::valid : Padding::same,
      .min_tile_px = default_min_tile_px};
}

/// The operator that makes all else irrelevant, wherever it stands.
std::optional<std::string> find_global(const Graph& graph) {
  for (const onnx::NodeProto* node : graph.nodes()) {
    if (std::find(global_operators.begin(), global_operators.end(), node->op_type()) != global_operators.end()) {
      return fmt::format("{} looks at the whole image, so that an output pixel depends on all of it",
                         detail::label(*node));
    }
  }
  return std::nullopt;
}

void find_geometry(const Graph& graph, ModelFacts& facts) {
  if (auto why = find_global(graph)) {
    facts.why_not_local = *std::move(why);
    return;
  }
  auto walked = detail::walk(graph, facts.input_channels);
  if (auto* obstacle = std::get_if<detail::Obstacle>(&walked)) {
    facts.why_not_local = std::move(obstacle->text);
    return;
  }
  auto& result = std::get<detail::WalkResult>(walked);
  auto geometry = tile_geometry(result.output);
  if (auto* why = std::get_if<std::string>(&geometry)) {
    facts.why_not_local = std::move(*why);
    return;
  }
  facts.local = true;
  facts.geometry = std::get<TileGeometry>(geometry);
  facts.output_channels = static_cast<int>(result.output.channels);
  facts.layers = std::move(result.layers);
}

}  // namespace

ModelFacts analyse(std::span<const std::byte> bytes, std::string_view name) {
  const onnx::ModelProto model = parse(bytes, name);
  const Graph graph{model};
  ModelFacts facts;
  facts.input_channels = static_cast<int>(check_input(graph, name));
  check_output(graph, name);
  check_weights(graph, name);
  facts.input_name = graph.inputs().front()->name();
  facts.output_name = graph.proto().output(0).name();
  facts.weights_bytes = graph.weights_bytes();
  find_geometry(graph, facts);
  return facts;
}

}  // namespace pantile
