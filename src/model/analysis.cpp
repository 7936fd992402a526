#include "model/analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "model/detail/geometry.hpp"
#include "model/detail/graph.hpp"
#include "model/detail/grid_walk.hpp"
#include "model/detail/reading.hpp"
#include "model/detail/shapes.hpp"

namespace pantile {

using detail::Graph;
using detail::Grid;
using detail::Shapes;

namespace {

TensorFacts facts_of(const onnx::ValueInfoProto& value) {
  const auto& type = value.type().tensor_type();
  TensorFacts facts{.name = value.name(),
                    .type = detail::type_name(value.type().has_tensor_type() ? type.elem_type() : 0),
                    .dims = {},
                    .has_rank = type.has_shape()};
  for (const auto& dim : type.shape().dim()) {
    facts.dims.push_back(dim.has_dim_value()       ? std::to_string(dim.dim_value())
                         : dim.dim_param().empty() ? "?"
                                                   : dim.dim_param());
  }
  return facts;
}

/// What is known of the first image among the inputs.
void find_image(const Graph& graph, ModelFacts& facts) {
  for (const auto* input : graph.inputs()) {
    const detail::ImageAxes axes = detail::image_axes(*input);
    if (!axes.is_image()) {
      continue;
    }
    const auto& shape = input->type().tensor_type().shape();
    const auto fixed = [&](int axis) { return std::clamp<std::int64_t>(shape.dim(axis).dim_value(), 0, INT32_MAX); };
    facts.input_name = input->name();
    facts.channel_place = axes.channel < axes.row ? ChannelPlace::first : ChannelPlace::last;
    facts.input_channels = static_cast<int>(fixed(axes.channel));
    if (shape.dim(axes.row).has_dim_value() || shape.dim(axes.column).has_dim_value()) {
      facts.fixed = {static_cast<int>(fixed(axes.row)), static_cast<int>(fixed(axes.column))};
    }
    return;
  }
  facts.input_name = graph.inputs().empty() ? "" : graph.inputs().front()->name();
}

/// Of what could not be followed: is the output an image of some whole times the input, by its shape?
void find_whole_geometry(const Graph& graph, const Shapes& shapes, ModelFacts& facts) {
  const detail::Sizes* dims = shapes.dims(graph.proto().output(0).name());
  if (dims == nullptr || dims->size() != 4) {
    return;
  }
  const auto& nominal = shapes.nominal();
  const double rows = (*dims)[2].at / nominal.height;
  const double columns = (*dims)[3].at / nominal.width;
  const detail::Claims& claims = shapes.all_claims();
  const std::int64_t alignment = std::lcm(claims.height, claims.width);
  if (!(rows >= 1) || rows != columns || rows != static_cast<int>(rows) || !((*dims)[1].at >= 1) ||
      rows > detail::largest_period || (facts.fixed.empty() && alignment > detail::largest_period)) {
    return;
  }
  facts.makes_image = true;
  facts.output_channels = static_cast<int>(std::min((*dims)[1].at, 1e9));
  facts.geometry = {.scale = static_cast<int>(rows),
                    .halo = {},
                    .padding = Padding::same,
                    .min_tile_px = default_min_tile_px,
                    .alignment_px = facts.fixed.empty() ? static_cast<int>(alignment) : 1,
                    .whole_only = false};
}

void find_geometry(const Graph& graph, const Shapes& shapes, ModelFacts& facts) {
  if (facts.channel_place == ChannelPlace::none) {
    facts.why_not_local = "it takes no image [N, C, H, W]";
    return;
  }
  detail::Walk walk = detail::walk(graph, shapes);
  facts.layers = std::move(walk.layers);
  facts.why_not_local = std::move(walk.why_not_local);
  const std::optional<Grid>& first = walk.outputs.front();
  if (first) {
    detail::FoundGeometry found = detail::tile_geometry(*first, shapes.claims());
    facts.output_channels = static_cast<int>(std::min<std::int64_t>(first->channels, INT32_MAX));
    facts.makes_image = found.makes_image;
    facts.followed = found.why_not.empty();
    facts.geometry = found.geometry;
    facts.geometry.min_tile_px = std::max(default_min_tile_px, walk.least_px);
    facts.why_not_local = facts.why_not_local.empty() ? std::move(found.why_not) : facts.why_not_local;
  } else {
    find_whole_geometry(graph, shapes, facts);
  }
  facts.local = facts.why_not_local.empty() && facts.followed;
}

}  // namespace

ModelFacts analyse(std::span<const std::byte> bytes, std::string_view name, const ModelPlace& place) {
  onnx::ModelProto model = detail::parse_model(bytes, name);
  const auto files = detail::external_bytes(model, name);
  detail::take_in_small_tensors(model, place);
  const Graph graph{model};
  ModelFacts facts = detail::facts_of_graph(graph, Shapes{graph});
  for (const auto& [location, used] : files) {
    facts.weight_files.push_back(location);
  }
  return facts;
}

ModelFacts detail::facts_of_graph(const Graph& graph, const Shapes& shapes) {
  ModelFacts facts;
  for (const auto* input : graph.inputs()) {
    facts.inputs.push_back(facts_of(*input));
  }
  for (const auto& output : graph.proto().output()) {
    facts.outputs.push_back(facts_of(output));
  }
  facts.output_name = facts.outputs.front().name;
  find_image(graph, facts);
  facts.weights_bytes = detail::weights_bytes(graph);

  find_geometry(graph, shapes, facts);
  return facts;
}

}  // namespace pantile
