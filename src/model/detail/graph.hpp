#pragma once
// An ONNX graph, as the analysis wants to see it: which nodes matter, attributes with defaults, constants by name.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/detail/onnx.hpp"

namespace pantile::detail {

/// "Conv 'features.0'": as a person would find it in a viewer.
[[nodiscard]] std::string label(const onnx::NodeProto& node);

/// Attributes, or the default that the operator's description gives.
[[nodiscard]] std::int64_t attribute(const onnx::NodeProto& node, std::string_view name, std::int64_t otherwise);
[[nodiscard]] std::string attribute(const onnx::NodeProto& node, std::string_view name, std::string_view otherwise);
[[nodiscard]] std::vector<std::int64_t> attribute(const onnx::NodeProto& node, std::string_view name,
                                                  std::vector<std::int64_t> otherwise);
[[nodiscard]] std::vector<double> real_attribute(const onnx::NodeProto& node, std::string_view name);
[[nodiscard]] bool has_attribute(const onnx::NodeProto& node, std::string_view name);
/// Null if there is none.
[[nodiscard]] const onnx::TensorProto* tensor_attribute(const onnx::NodeProto& node, std::string_view name);

/// The elements of a small tensor of integers or floats that lies in the file; nothing of others.
[[nodiscard]] std::optional<std::vector<double>> numbers_of(const onnx::TensorProto& tensor);
/// Bytes of an element of a type of onnx::TensorProto; 0.5 for those of 4 bits.
[[nodiscard]] double bytes_of_element(int type);

/// Input `at` of a node, "" if it is left out.
[[nodiscard]] std::string_view input(const onnx::NodeProto& node, int at);

/// Borrowed from a model, which must outlive it.
class Graph {
 public:
  explicit Graph(const onnx::ModelProto& model);

  /// Version of the standard operator set.
  [[nodiscard]] std::int64_t opset() const noexcept { return opset_; }
  /// The graph's inputs without those that have an initializer: what a caller must give.
  [[nodiscard]] const std::vector<const onnx::ValueInfoProto*>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const onnx::GraphProto& proto() const noexcept { return graph_; }
  /// Nodes that lie on a path from an input to an output, in order. All others are constants, or used by nobody.
  [[nodiscard]] const std::vector<const onnx::NodeProto*>& nodes() const noexcept { return nodes_; }

  /// True if the value depends on no input.
  [[nodiscard]] bool is_constant(std::string_view value) const;
  /// The tensor behind a constant, if it is an initializer or a Constant node.
  [[nodiscard]] const onnx::TensorProto* tensor(std::string_view value) const;
  /// The elements of a small constant of integers or floats, as a list.
  [[nodiscard]] std::optional<std::vector<double>> numbers(std::string_view value) const;
  /// Initializers and the tensors of Constant nodes, by name.
  [[nodiscard]] const std::map<std::string_view, const onnx::TensorProto*>& tensors() const noexcept {
    return tensors_;
  }

 private:
  void collect_constants();
  void collect_nodes();

  const onnx::GraphProto& graph_;
  std::int64_t opset_ = 0;
  std::vector<const onnx::ValueInfoProto*> inputs_;
  std::vector<const onnx::NodeProto*> nodes_;
  std::unordered_set<std::string_view> varying_;                  ///< values that depend on an input
  std::map<std::string_view, const onnx::TensorProto*> tensors_;  ///< in one order everywhere: it is printed
  std::unordered_map<std::string_view, const onnx::NodeProto*> producers_;
};

}  // namespace pantile::detail
