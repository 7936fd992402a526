#include "model/detail/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace pantile::detail {

namespace {

const onnx::AttributeProto* find(const onnx::NodeProto& node, std::string_view name) {
  const auto& all = node.attribute();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

/// Tensors of more elements are weights, which nobody computes shapes with.
constexpr std::size_t most_numbers = 4096;

/// Elements of raw little-endian bytes, or of the typed field where those are empty.
template <class T, class Field>
std::vector<double> elements(const std::string& raw, const Field& field) {
  std::vector<double> all;
  if (raw.empty()) {
    all.assign(field.begin(), field.end());
    return all;
  }
  for (std::size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, raw.data() + at, sizeof(T));
    all.push_back(static_cast<double>(value));
  }
  return all;
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

const onnx::TensorProto* tensor_attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto* found = find(node, name);
  return found == nullptr || !found->has_t() ? nullptr : &found->t();
}

std::optional<std::vector<double>> numbers_of(const onnx::TensorProto& tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.raw_data().size() > most_numbers * 8) {
    return std::nullopt;
  }
  const std::string& raw = tensor.raw_data();
  switch (tensor.data_type()) {
    case onnx::TensorProto::INT64: return elements<std::int64_t>(raw, tensor.int64_data());
    case onnx::TensorProto::INT32: return elements<std::int32_t>(raw, tensor.int32_data());
    case onnx::TensorProto::FLOAT: return elements<float>(raw, tensor.float_data());
    case onnx::TensorProto::DOUBLE: return elements<double>(raw, tensor.double_data());
    case onnx::TensorProto::BOOL: return elements<std::uint8_t>(raw, tensor.int32_data());
    default: return std::nullopt;
  }
}

double bytes_of_element(int type) {
  // By number: the newest types are not in the headers of older ONNX releases.
  constexpr int float8_first = 17;
  constexpr int float8_last = 20;
  constexpr int uint4 = 21;
  constexpr int int4 = 22;
  constexpr int float4 = 23;
  switch (type) {
    case onnx::TensorProto::COMPLEX128: return 16;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
    case onnx::TensorProto::COMPLEX64: return 8;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16: return 2;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL: return 1;
    case uint4:
    case int4:
    case float4: return 0.5;
    default: return type >= float8_first && type <= float8_last ? 1 : 4;
  }
}

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

std::optional<std::vector<double>> Graph::numbers(std::string_view value) const {
  if (const auto* found = tensor(value)) {
    return numbers_of(*found);
  }
  const auto producer = producers_.find(value);
  if (producer == producers_.end() || producer->second->op_type() != "Constant") {
    return std::nullopt;
  }
  const onnx::NodeProto& node = *producer->second;
  for (const char* name : {"value_int", "value_ints"}) {
    if (const auto* one = find(node, name)) {
      return name == std::string_view{"value_int"} ? std::vector<double>{static_cast<double>(one->i())}
                                                   : std::vector<double>{one->ints().begin(), one->ints().end()};
    }
  }
  for (const char* name : {"value_float", "value_floats"}) {
    if (const auto* one = find(node, name)) {
      return name == std::string_view{"value_float"} ? std::vector<double>{one->f()}
                                                     : std::vector<double>{one->floats().begin(), one->floats().end()};
    }
  }
  return std::nullopt;
}

}  // namespace pantile::detail
