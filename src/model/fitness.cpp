#include <fmt/format.h>

#include <algorithm>

#include "model/analysis.hpp"

namespace pantile {

namespace {

std::string names(const std::vector<TensorFacts>& tensors) {
  std::vector<std::string> all;
  std::transform(tensors.begin(), tensors.end(), std::back_inserter(all), [](const auto& each) { return each.name; });
  return fmt::format("{}", fmt::join(all, ", "));
}

std::string shape(const TensorFacts& tensor) {
  return tensor.has_rank ? fmt::format("[{}]", fmt::join(tensor.dims, ", ")) : std::string{"of unknown shape"};
}

std::optional<std::string> unfit_input(const ModelFacts& facts, std::string_view name) {
  if (facts.inputs.size() != 1) {
    return fmt::format(
        "{} has {} inputs ({}): pantile gives a model one image [N, C, H, W]. Export it with one input, the others "
        "made constants.",
        name, facts.inputs.size(), names(facts.inputs));
  }
  const TensorFacts& input = facts.inputs.front();
  if (input.dims.size() != 4) {
    return fmt::format("{}: its input '{}' is {}, not an image [N, C, H, W] of 4 dimensions. Only such are run.", name,
                       input.name, shape(input));
  }
  if (facts.channel_place == ChannelPlace::last) {
    return fmt::format(
        "{}: its input '{}' is {}, with the channels last, and this version gives [N, C, H, W]. Convert it again, for "
        "instance with tf2onnx --inputs-as-nchw {}.",
        name, input.name, shape(input), input.name);
  }
  if (facts.input_channels < 1) {
    return fmt::format(
        "{}: its input '{}' is {}: the number of channels must be written in the model. Export it with "
        "dynamic axes for N, H and W only.",
        name, input.name, shape(input));
  }
  if (input.type != "float32") {
    return fmt::format(
        "{}: its input '{}' is not float32 but {}, and float32 is all that this version feeds. Export "
        "it in float32.",
        name, input.name, input.type);
  }
  if (!facts.fixed.empty() || facts.fixed != Extent{}) {
    return fmt::format(
        "{}: its input '{}' has the fixed size {}: pantile gives a model tiles of any size. Export it with dynamic N, "
        "H and W (dynamic_axes or dynamic_shapes of torch.onnx.export).",
        name, input.name, shape(input));
  }
  const std::string& batch = input.dims.front();
  const bool is_number =
      !batch.empty() && std::all_of(batch.begin(), batch.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_number && batch != "1") {
    return fmt::format(
        "{}: its input '{}' is {}, {} images at once, and pantile gives one. Export it with a dynamic N.", name,
        input.name, shape(input), batch);
  }
  return std::nullopt;
}

std::optional<std::string> unfit_output(const ModelFacts& facts, std::string_view name) {
  if (facts.outputs.size() != 1) {
    return fmt::format("{} has {} outputs ({}): this version takes models with one. Export it with one output.", name,
                       facts.outputs.size(), names(facts.outputs));
  }
  const TensorFacts& output = facts.outputs.front();
  if (output.type != "float32" && output.type != "?") {
    return fmt::format(
        "{}: its output '{}' is not float32 but {}, and float32 is all that this version takes. Export "
        "it in float32.",
        name, output.name, output.type);
  }
  if (!facts.makes_image) {
    return fmt::format(
        "{}: its output '{}' is {}, and this version writes images that are a whole number of times the input: {}. Of "
        "a network that ends in a smaller map or a vector, this version can only tell the facts.",
        name, output.name, shape(output), facts.why_not_local);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> unfit(const ModelFacts& facts, std::string_view name) {
  if (auto why = unfit_input(facts, name)) {
    return why;
  }
  return unfit_output(facts, name);
}

}  // namespace pantile
