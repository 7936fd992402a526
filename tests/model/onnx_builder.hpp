#pragma once
// Small ONNX models, made in code: nothing from outside is needed to test the promise.

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/detail/onnx.hpp"

namespace pantile::testing {

using Ints = std::vector<std::int64_t>;

/// Adds nodes one by one; each returns the name of its output. Weights are random, positive and sum to about one, so
/// that a change of one input pixel reaches every output pixel that sees it.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(int channels, std::int64_t opset = 17) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    graph().set_name("test");
    describe(*graph().add_input(), "input", channels);
  }

  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs) {
    onnx::NodeProto& added = *graph().add_node();
    added.set_op_type(op);
    added.set_name(op + std::to_string(graph().node_size()));
    for (const auto& input : inputs) {
      added.add_input(input);
    }
    added.add_output("t" + std::to_string(graph().node_size()));
    return added;
  }
  std::string op(const std::string& op, const std::vector<std::string>& inputs) { return node(op, inputs).output(0); }

  static void set(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
    auto& attribute = named(node, name, onnx::AttributeProto::INT);
    attribute.set_i(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, const char* value) {
    named(node, name, onnx::AttributeProto::STRING).set_s(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, const Ints& values) {
    auto& attribute = named(node, name, onnx::AttributeProto::INTS);
    attribute.mutable_ints()->Add(values.begin(), values.end());
  }

  std::string floats(const Ints& dims, const std::vector<float>& values) {
    onnx::TensorProto& tensor = constant(dims, onnx::TensorProto::FLOAT);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
    return tensor.name();
  }
  std::string integers(const Ints& values) {
    onnx::TensorProto& tensor = constant({static_cast<std::int64_t>(values.size())}, onnx::TensorProto::INT64);
    tensor.mutable_int64_data()->Add(values.begin(), values.end());
    return tensor.name();
  }
  /// Weights of a convolution.
  std::string weights(const Ints& dims) {
    std::int64_t count = 1;
    for (const auto dim : dims) {
      count *= dim;
    }
    std::uniform_real_distribution<float> value{0.5F, 1.5F};
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& each : values) {
      each = value(random_) / static_cast<float>(count / dims[0]);
    }
    return floats(dims, values);
  }

  struct Window {
    Ints kernel{3, 3};
    Ints pads{0, 0, 0, 0};
    Ints strides{1, 1};
    Ints dilations{1, 1};
  };
  std::string conv(const std::string& input, int from, int to, const Window& window) {
    return windowed("Conv", input, weights({to, from, window.kernel[0], window.kernel[1]}), window);
  }
  std::string deconv(const std::string& input, int from, int to, const Window& window,
                     const Ints& output_padding = {}) {
    onnx::NodeProto& added =
        windowed_node("ConvTranspose", input, weights({from, to, window.kernel[0], window.kernel[1]}), window);
    if (!output_padding.empty()) {
      set(added, "output_padding", output_padding);
    }
    return added.output(0);
  }
  std::string pool(const std::string& op, const std::string& input, const Window& window) {
    onnx::NodeProto& added = node(op, {input});
    set(added, "kernel_shape", window.kernel);
    set(added, "pads", window.pads);
    set(added, "strides", window.strides);
    return added.output(0);
  }

  /// The model with this tensor as its output.
  std::vector<std::byte> build(const std::string& output) {
    describe(*graph().add_output(), output, 0);
    return detail::serialized(model_);
  }
  onnx::ModelProto& model() { return model_; }

 private:
  static void describe(onnx::ValueInfoProto& value, const std::string& name, int channels) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    auto& shape = *type.mutable_shape();
    const std::string prefix = channels > 0 ? "" : "out_";
    shape.add_dim()->set_dim_param(prefix + "n");
    if (channels > 0) {
      shape.add_dim()->set_dim_value(channels);
    } else {
      shape.add_dim()->set_dim_param(prefix + "c");
    }
    shape.add_dim()->set_dim_param(prefix + "h");
    shape.add_dim()->set_dim_param(prefix + "w");
  }
  static onnx::AttributeProto& named(onnx::NodeProto& node, const std::string& name,
                                     onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  onnx::TensorProto& constant(const Ints& dims, int type) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name("w" + std::to_string(graph().initializer_size()));
    tensor.set_data_type(type);
    tensor.mutable_dims()->Add(dims.begin(), dims.end());
    return tensor;
  }
  onnx::NodeProto& windowed_node(const std::string& op, const std::string& input, const std::string& weights,
                                 const Window& window) {
    onnx::NodeProto& added = node(op, {input, weights});
    set(added, "kernel_shape", window.kernel);
    set(added, "pads", window.pads);
    set(added, "strides", window.strides);
    set(added, "dilations", window.dilations);
    return added;
  }
  std::string windowed(const std::string& op, const std::string& input, const std::string& weights,
                       const Window& window) {
    return windowed_node(op, input, weights, window).output(0);
  }

  onnx::ModelProto model_;
  std::mt19937 random_{42};
};

}  // namespace pantile::testing
