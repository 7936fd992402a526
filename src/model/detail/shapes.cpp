#include "model/detail/shapes.hpp"

#include <algorithm>

#include "model/detail/shape_rules.hpp"

namespace pantile::detail {

namespace {

/// Numbers that describe shapes come in tensors of a few; anything larger is weights.
constexpr std::size_t most_values = 64;

double bytes_of_type(int type) { return type == 0 ? 4 : bytes_of_element(type); }

}  // namespace

ImageAxes image_axes(const onnx::ValueInfoProto& input) {
  if (!input.type().tensor_type().has_shape()) {
    return {};
  }
  const auto& shape = input.type().tensor_type().shape();
  const auto fixed = [&](int at) { return shape.dim(at).has_dim_value() ? shape.dim(at).dim_value() : -1; };
  constexpr std::int64_t most_channels = 4096;
  constexpr std::int64_t most_channels_last = 4;
  if (shape.dim_size() == 3) {
    return fixed(0) >= 1 && fixed(0) <= most_channels_last ? ImageAxes{.row = 1, .column = 2, .channel = 0}
                                                           : ImageAxes{};
  }
  if (shape.dim_size() != 4) {
    return {};
  }
  const bool first = fixed(1) >= 1 && fixed(1) <= most_channels;
  const bool last = fixed(3) >= 1 && fixed(3) <= most_channels_last;
  if (last && (!first || fixed(1) > most_channels_last)) {
    return {.row = 1, .column = 2, .channel = 3};
  }
  return {.row = 2, .column = 3, .channel = 1};
}

Shapes::Shapes(const Graph& graph) : graph_{graph} {
  add_constants();
  add_inputs();
  ShapeRules rules{*this};
  for (const auto& node : graph.proto().node()) {
    rules.visit(node);
  }
}

void Shapes::add_constants() {
  for (const auto& tensor : graph_.proto().initializer()) {
    Known known{.dims = Sizes{}, .values = {}, .type = tensor.data_type()};
    for (const std::int64_t dim : tensor.dims()) {
      known.dims->push_back(number(static_cast<double>(dim)));
    }
    if (const auto numbers = graph_.numbers(tensor.name()); numbers && numbers->size() <= most_values) {
      known.values.emplace();
      std::transform(numbers->begin(), numbers->end(), std::back_inserter(*known.values), number);
    }
    known_.insert_or_assign(tensor.name(), std::move(known));
  }
}

/// The first image tells the extent; other images are taken to have the same.
void Shapes::add_inputs() {
  for (const auto* input : graph_.inputs()) {
    const ImageAxes axes = image_axes(*input);
    const auto& shape = input->type().tensor_type().shape();
    if (axes.is_image() && shape.dim(axes.row).dim_value() > 0 && shape.dim(axes.column).dim_value() > 0) {
      nominal_ = {static_cast<double>(shape.dim(axes.row).dim_value()),
                  static_cast<double>(shape.dim(axes.column).dim_value())};
      break;
    }
  }
  for (const auto* input : graph_.inputs()) {
    const auto& type = input->type().tensor_type();
    Known known{.dims = {}, .values = {}, .type = type.elem_type()};
    if (type.has_shape()) {
      const ImageAxes axes = image_axes(*input);
      known.dims.emplace();
      for (int at = 0; at < type.shape().dim_size(); ++at) {
        const auto& dim = type.shape().dim(at);
        const bool batch = at == 0 && axes.channel != 0;
        known.dims->push_back(axes.is_image() && at == axes.row      ? side(Size::Kind::height, nominal_.height)
                              : axes.is_image() && at == axes.column ? side(Size::Kind::width, nominal_.width)
                              : dim.has_dim_value()                  ? number(static_cast<double>(dim.dim_value()))
                              : batch                                ? number(1)
                                                                     : Size{});
      }
    }
    known_.insert_or_assign(input->name(), std::move(known));
  }
}

const Sizes* Shapes::dims(std::string_view value) const {
  const auto found = known_.find(std::string{value});
  return found == known_.end() || !found->second.dims ? nullptr : &*found->second.dims;
}

const Sizes* Shapes::values(std::string_view value) const {
  const auto found = known_.find(std::string{value});
  return found == known_.end() || !found->second.values ? nullptr : &*found->second.values;
}

std::optional<std::vector<double>> Shapes::numbers(std::string_view value) const {
  const Sizes* all = values(value);
  if (all == nullptr || !std::all_of(all->begin(), all->end(), [](const Size& each) { return each.is_number(); })) {
    return std::nullopt;
  }
  std::vector<double> plain;
  std::transform(all->begin(), all->end(), std::back_inserter(plain), [](const Size& each) { return each.offset; });
  return plain;
}

std::optional<double> Shapes::elements(std::string_view value) const {
  const Sizes* all = dims(value);
  if (all == nullptr || !std::all_of(all->begin(), all->end(), [](const Size& each) { return each.at >= 0; })) {
    return std::nullopt;
  }
  double count = 1;
  for (const Size& each : *all) {
    count *= each.at;
  }
  return count;
}

double Shapes::element_bytes(std::string_view value) const {
  const auto found = known_.find(std::string{value});
  return bytes_of_type(found == known_.end() ? 0 : found->second.type);
}

}  // namespace pantile::detail
