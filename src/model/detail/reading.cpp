#include "model/detail/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

#include "base/error.hpp"

namespace pantile::detail {

namespace {

double element_count(const onnx::TensorProto& tensor) {
  double count = 1;
  for (const std::int64_t dim : tensor.dims()) {
    count *= dim > 0 ? static_cast<double>(dim) : 0;
  }
  return count;
}

std::uint64_t as_bytes(double value) {
  constexpr double most = 1e18;  // more is a damaged file
  return static_cast<std::uint64_t>(value < most ? value : most);
}

std::uint64_t tensor_bytes(const onnx::TensorProto& tensor) {
  return as_bytes(element_count(tensor) * bytes_of_element(tensor.data_type()));
}

std::string entry(const onnx::TensorProto& tensor, std::string_view key) {
  for (const auto& each : tensor.external_data()) {
    if (each.key() == key) {
      return each.value();
    }
  }
  return {};
}

std::uint64_t number_entry(const onnx::TensorProto& tensor, std::string_view key, std::uint64_t otherwise) {
  const std::string text = entry(tensor, key);
  std::uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

onnx::ModelProto parse_model(std::span<const std::byte> bytes, std::string_view name) {
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

std::string type_name(int type) {
  // By number: the newest are not in the headers of older ONNX releases.
  static constexpr std::array<std::string_view, 24> names{
      "?",         "float32",    "uint8",     "int8",         "uint16",         "int16",      "int32",
      "int64",     "string",     "bool",      "float16",      "float64",        "uint32",     "uint64",
      "complex64", "complex128", "bfloat16",  "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
      "uint4",     "int4",       "float4e2m1"};
  return type >= 0 && type < static_cast<int>(names.size()) ? std::string{names[static_cast<std::size_t>(type)]}
                                                            : fmt::format("type {}", type);
}

std::uint64_t weights_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : graph.tensors()) {
    bytes += tensor_bytes(*tensor);
  }
  return bytes;
}

std::uint64_t parameters(const Graph& graph) {
  double count = 0;
  for (const auto& [name, tensor] : graph.tensors()) {
    const int type = tensor->data_type();
    const bool integer = type == onnx::TensorProto::INT64 || type == onnx::TensorProto::INT32 ||
                         type == onnx::TensorProto::BOOL || type == onnx::TensorProto::STRING;
    count += integer ? 0 : element_count(*tensor);
  }
  return as_bytes(count);
}

std::map<std::string, std::uint64_t> external_bytes(const onnx::ModelProto& model) {
  std::map<std::string, std::uint64_t> files;
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
      const std::uint64_t length = number_entry(tensor, "length", tensor_bytes(tensor));
      std::uint64_t& bytes = files[entry(tensor, "location")];
      bytes = std::max(bytes, number_entry(tensor, "offset", 0) + length);
    }
  }
  return files;
}

bool stays_in_folder(const std::string& location) {
  const std::filesystem::path path{location};
  return !location.empty() && !path.is_absolute() && *path.lexically_normal().begin() != "..";
}

void take_in_small_tensors(onnx::ModelProto& model, const std::filesystem::path& folder) {
  constexpr std::uint64_t most_bytes = 512;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    const std::uint64_t bytes = tensor_bytes(tensor);
    const std::string location = entry(tensor, "location");
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL || bytes > most_bytes || !stays_in_folder(location)) {
      continue;
    }
    std::ifstream file{folder / location, std::ios::binary};
    std::string data(bytes, '\0');
    file.seekg(static_cast<std::streamoff>(number_entry(tensor, "offset", 0)));
    if (file.read(data.data(), static_cast<std::streamsize>(bytes))) {
      tensor.set_raw_data(data);
      tensor.clear_data_location();
    }
  }
}

}  // namespace pantile::detail
