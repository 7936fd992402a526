#include "model/detail/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pantile::detail {

namespace {

const onnx::AttributeProto* find(const onnx::NodeProto& node, std::string_view name) {
  const auto& all = node.attribute();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

/// Operators whose result has the extents of their first input, for the dims of computed constants.
bool keeps_dims(std::string_view op) {
  static constexpr std::array<std::string_view, 5> ops{"Identity", "Cast", "Neg", "Abs", "Sqrt"};
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

std::size_t element_bytes(int type) {
  switch (type) {
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64: return 8;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16: return 2;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL: return 1;
    default: return 4;
  }
}

/// Elements of raw little-endian bytes, or of the typed field where those are empty.
template <class T, class Out, class Field>
std::vector<Out> elements(const std::string& raw, const Field& field) {
  if (raw.empty()) {
    return {field.begin(), field.end()};
  }
  std::vector<T> values(raw.size() / sizeof(T));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

}  // namespace

std::string label(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return fmt::format("{} '{}'", node.op_type(), name);
}

std::int64_t attribute(const onnx::NodeProto& node, std::string_view name, std::int64_t otherwise) {
  const auto* found = find(node, name);
  return found == nullptr ? otherwise : found->i();
}

std::string attribute(const onnx::NodeProto& node, std::string_view name, std::string_view otherwise) {
  const auto* found = find(node, name);
  return found == nullptr ? std::string{otherwise} : found->s();
}

std::vector<std::int64_t> attribute(const onnx::NodeProto& node, std::string_view name,
                                    std::vector<std::int64_t> otherwise) {
  const auto* found = find(node, name);
  return found == nullptr ? otherwise : std::vector<std::int64_t>{found->ints().begin(), found->ints().end()};
}

std::vector<double> real_attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto* found = find(node, name);
  return found == nullptr ? std::vector<double>{} : std::vector<double>{found->floats().begin(), found->floats().end()};
}

bool has_attribute(const onnx::NodeProto& node, std::string_view name) { return find(node, name) != nullptr; }

std::string_view input(const onnx::NodeProto& node, int at) {
  return at < node.input_size() ? std::string_view{node.input(at)} : std::string_view{};
}

Graph::Graph(const onnx::ModelProto& model) : graph_{model.graph()} {
  for (const auto& set : model.opset_import()) {
    if (set.domain().empty() || set.domain() == "ai.onnx") {
      opset_ = set.version();
    }
  }
  collect_constants();
  collect_nodes();
}

void Graph::collect_constants() {
  for (const auto& tensor : graph_.initializer()) {
    tensors_.emplace(tensor.name(), &tensor);
  }
  for (const auto& node : graph_.node()) {
    for (const auto& output : node.output()) {
      producers_.emplace(output, &node);
    }
    if (const auto* value = find(node, "value");
        node.op_type() == "Constant" && value != nullptr && node.output_size() == 1) {
      tensors_.emplace(node.output(0), &value->t());
    }
  }
}

void Graph::collect_nodes() {
  for (const auto& value : graph_.input()) {
    if (!tensors_.contains(value.name())) {
      inputs_.push_back(&value);
      varying_.insert(value.name());
    }
  }
  // Forwards: what depends on an input. Nodes stand in order, so one pass is enough. Nodes with graphs of their own
  // (If, Loop) may use any value without naming it as an input.
  for (const auto& node : graph_.node()) {
    const auto& all = node.attribute();
    const bool has_graph = std::any_of(all.begin(), all.end(), [](const auto& each) { return each.has_g(); });
    if (has_graph || std::any_of(node.input().begin(), node.input().end(),
                                 [&](const auto& each) { return varying_.contains(each); })) {
      varying_.insert(node.output().begin(), node.output().end());
    }
  }
  // Backwards: what an output depends on.
  std::unordered_set<std::string_view> wanted;
  for (const auto& output : graph_.output()) {
    wanted.insert(output.name());
  }
  for (auto node = graph_.node().rbegin(); node != graph_.node().rend(); ++node) {
    const bool used = std::any_of(node->output().begin(), node->output().end(),
                                  [&](const auto& each) { return wanted.contains(each) && varying_.contains(each); });
    if (used) {
      wanted.insert(node->input().begin(), node->input().end());
      nodes_.push_back(&*node);
    }
  }
  std::reverse(nodes_.begin(), nodes_.end());
}

bool Graph::is_constant(std::string_view value) const { return !varying_.contains(value); }

const onnx::TensorProto* Graph::tensor(std::string_view value) const {
  const auto found = tensors_.find(value);
  return found == tensors_.end() ? nullptr : found->second;
}

std::optional<std::vector<std::int64_t>> Graph::dims(std::string_view value) const {
  if (const auto* found = tensor(value)) {
    return std::vector<std::int64_t>{found->dims().begin(), found->dims().end()};
  }
  const auto producer = producers_.find(value);
  if (producer == producers_.end() || !is_constant(value)) {
    return std::nullopt;
  }
  const onnx::NodeProto& node = *producer->second;
  if (node.op_type() == "Constant") {  // value_float, value_int: a scalar; value_floats, value_ints: a list
    if (has_attribute(node, "value_float") || has_attribute(node, "value_int")) {
      return std::vector<std::int64_t>{};
    }
    return std::nullopt;
  }
  return keeps_dims(node.op_type()) && node.input_size() > 0 ? dims(node.input(0)) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> Graph::integers(std::string_view value) const {
  const auto* found = tensor(value);
  if (found != nullptr && found->data_type() == onnx::TensorProto::INT64) {
    return elements<std::int64_t, std::int64_t>(found->raw_data(), found->int64_data());
  }
  if (found != nullptr && found->data_type() == onnx::TensorProto::INT32) {
    return elements<std::int32_t, std::int64_t>(found->raw_data(), found->int32_data());
  }
  if (const auto producer = producers_.find(value);
      producer != producers_.end() && has_attribute(*producer->second, "value_ints")) {
    return attribute(*producer->second, "value_ints", std::vector<std::int64_t>{});
  }
  return std::nullopt;
}

std::optional<std::vector<double>> Graph::reals(std::string_view value) const {
  const auto* found = tensor(value);
  if (found != nullptr && found->data_type() == onnx::TensorProto::FLOAT) {
    return elements<float, double>(found->raw_data(), found->float_data());
  }
  return std::nullopt;
}

std::uint64_t Graph::weights_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) {
    std::uint64_t count = 1;
    for (const std::int64_t dim : tensor->dims()) {
      count *= static_cast<std::uint64_t>(dim);
    }
    bytes += count * element_bytes(tensor->data_type());
  }
  return bytes;
}

std::string_view Graph::external_tensor() const noexcept {
  for (const auto& [name, tensor] : tensors_) {
    if (tensor->data_location() == onnx::TensorProto::EXTERNAL) {
      return name;
    }
  }
  return {};
}

}  // namespace pantile::detail
