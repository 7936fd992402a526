#pragma once
// The rules by which Shapes knows the output of a node: one member function per kind of operator.

#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "model/detail/shapes.hpp"

namespace pantile::detail {

class ShapeRules {
 public:
  explicit ShapeRules(Shapes& shapes) : shapes_{shapes} {}
  /// Adds what can be told of the node's outputs.
  void visit(const onnx::NodeProto& node);

 private:
  using Known = Shapes::Known;
  using Rule = void (ShapeRules::*)(const onnx::NodeProto&, Known&);
  static const std::map<std::string_view, Rule>& rules();

  // Layers.
  void convolution(const onnx::NodeProto& node, Known& out);
  void transposed_convolution(const onnx::NodeProto& node, Known& out);
  void pool(const onnx::NodeProto& node, Known& out);
  void global_pool(const onnx::NodeProto& node, Known& out);
  void resize(const onnx::NodeProto& node, Known& out);
  void depth_to_space(const onnx::NodeProto& node, Known& out);
  void pad(const onnx::NodeProto& node, Known& out);
  void matrix_product(const onnx::NodeProto& node, Known& out);
  void gemm(const onnx::NodeProto& node, Known& out);
  void reduce(const onnx::NodeProto& node, Known& out);

  // Everything that moves elements around, or computes with shapes.
  void constant(const onnx::NodeProto& node, Known& out);
  void shape(const onnx::NodeProto& node, Known& out);
  void size(const onnx::NodeProto& node, Known& out);
  void elementwise(const onnx::NodeProto& node, Known& out);
  void rounding(const onnx::NodeProto& node, Known& out);
  void cast(const onnx::NodeProto& node, Known& out);
  void where(const onnx::NodeProto& node, Known& out);
  void concat(const onnx::NodeProto& node, Known& out);
  void gather(const onnx::NodeProto& node, Known& out);
  void slice(const onnx::NodeProto& node, Known& out);
  void split(const onnx::NodeProto& node, Known& out);
  void reshape(const onnx::NodeProto& node, Known& out);
  void transpose(const onnx::NodeProto& node, Known& out);
  void flatten(const onnx::NodeProto& node, Known& out);
  void squeeze(const onnx::NodeProto& node, Known& out);
  void unsqueeze(const onnx::NodeProto& node, Known& out);
  void expand(const onnx::NodeProto& node, Known& out);
  void tile(const onnx::NodeProto& node, Known& out);
  void filled(const onnx::NodeProto& node, Known& out);
  void top_k(const onnx::NodeProto& node, Known& out);
  void gathered_by_element(const onnx::NodeProto& node, Known& out);

  [[nodiscard]] const Sizes* dims(const onnx::NodeProto& node, int at) const { return shapes_.dims(input(node, at)); }
  [[nodiscard]] const Sizes* values(const onnx::NodeProto& node, int at) const {
    return shapes_.values(input(node, at));
  }
  /// An attribute in old operator sets, an input in new ones; nothing if it is neither, or not known.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> list(const onnx::NodeProto& node, std::string_view name,
                                                              int at) const;
  /// With the claims of layers.
  [[nodiscard]] Size floored(const Size& value) { return rounded_down(value, shapes_.all_claims_); }
  /// With the claims of the graph's own arithmetic.
  [[nodiscard]] Size whole(const Size& value) {
    static_cast<void>(rounded_down(value, shapes_.all_claims_));
    return rounded_down(value, shapes_.value_claims_);
  }

  Shapes& shapes_;
};

/// Counted from the front.
[[nodiscard]] constexpr std::int64_t axis_of(std::int64_t axis, std::size_t rank) {
  return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}
[[nodiscard]] constexpr bool is_axis(std::int64_t axis, std::size_t rank) {
  return axis >= 0 && axis < static_cast<std::int64_t>(rank);
}

/// What a tensor has whose dimensions are these two tensors' spread over each other; nothing if they do not fit.
[[nodiscard]] std::optional<Sizes> broadcast(const Sizes& a, const Sizes& b);

}  // namespace pantile::detail
