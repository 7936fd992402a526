#include "model/detail/reading.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <unordered_set>

#include "base/error.hpp"
#include "base/file.hpp"

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

/// A number of an entry; nothing if it is no whole number of 64 bits.
std::optional<std::uint64_t> number_entry(const onnx::TensorProto& tensor, std::string_view key,
                                          std::uint64_t otherwise) {
  const std::string text = entry(tensor, key);
  std::uint64_t value = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = text.empty() || (error == std::errc{} && end == text.data() + text.size());
  return good ? std::optional{value} : std::nullopt;
}

using Tensors = std::function<void(const onnx::TensorProto&)>;

/// Every tensor of a graph, those of the graphs in its nodes too: protobuf bounds how deep they lie in each other.
void for_each_tensor(const onnx::GraphProto& graph, const Tensors& visit) {
  std::for_each(graph.initializer().begin(), graph.initializer().end(), visit);
  for (const auto& sparse : graph.sparse_initializer()) {
    visit(sparse.values());
    visit(sparse.indices());
  }
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_t()) {
        visit(attribute.t());
      }
      std::for_each(attribute.tensors().begin(), attribute.tensors().end(), visit);
      if (attribute.has_g()) {
        for_each_tensor(attribute.g(), visit);
      }
      for (const auto& inner : attribute.graphs()) {
        for_each_tensor(inner, visit);
      }
    }
  }
}

/// What a node makes is told by its name: with two of one name, shapes would be those of one and pixels of the other.
void expect_names_once(const onnx::ModelProto& model, std::string_view name) {
  std::unordered_set<std::string_view> made;
  for (const auto& node : model.graph().node()) {
    for (const auto& output : node.output()) {
      if (!output.empty() && !made.insert(output).second) {
        throw UsageError{fmt::format("{} is not a valid ONNX model: two of its nodes make '{}'. Export it again.", name,
                                     output.c_str())};
      }
    }
  }
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
  expect_names_once(model, name);
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

std::map<std::string, std::uint64_t> external_bytes(const onnx::ModelProto& model, std::string_view name) {
  std::map<std::string, std::uint64_t> files;
  for_each_tensor(model.graph(), [&](const onnx::TensorProto& tensor) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) {
      return;
    }
    const std::uint64_t bytes = tensor_bytes(tensor);
    const auto offset = number_entry(tensor, "offset", 0);
    const auto length = number_entry(tensor, "length", bytes);
    constexpr std::uint64_t most = 1'000'000'000'000'000'000;
    // A writer may round up the last of two values in one byte.
    if (!offset || !length || *offset > most || *length < bytes || *length - bytes > 1) {
      throw UsageError{fmt::format(
          "{} is damaged: of its weights '{}' it says that they lie at byte '{}' of '{}' and have '{}' bytes, and "
          "their "
          "shape makes that {} bytes. Save it again: onnx.save(onnx.load(PATH), PATH2).",
          name, tensor.name(), entry(tensor, "offset"), entry(tensor, "location"), entry(tensor, "length"), bytes)};
    }
    std::uint64_t& end = files[entry(tensor, "location")];
    end = std::max(end, *offset + *length);
  });
  return files;
}

void rename_weight_files(onnx::ModelProto& model, const std::map<std::string, std::string>& names) {
  for_each_tensor(model.graph(), [&names](const onnx::TensorProto& tensor) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the model is not const; only the walk over it is
    for (auto& each : *const_cast<onnx::TensorProto&>(tensor).mutable_external_data()) {
      if (const auto renamed = names.find(each.value()); each.key() == "location" && renamed != names.end()) {
        each.set_value(renamed->second);
      }
    }
  });
}

std::string why_not_read(const ModelPlace& place, const std::string& location) {
  const std::filesystem::path path{location};
  if (location.empty() || location.find('\0') != std::string::npos || path.is_absolute() ||
      *path.lexically_normal().begin() == "..") {
    return "which is not a file in the model's folder (such a path could reach anything)";
  }
  // By name it is. Do links lead out of it?
  std::error_code error;
  const auto real_path = [&error](const std::filesystem::path& one) {
    return std::filesystem::weakly_canonical(one.empty() ? "." : one, error);
  };
  const std::filesystem::path led = real_path(place.folder / path);
  for (const std::filesystem::path& each : {place.folder, place.real}) {
    const std::filesystem::path home = real_path(each);
    if (!error && std::mismatch(home.begin(), home.end(), led.begin(), led.end()).first == home.end()) {
      return {};
    }
  }
  return error ? fmt::format("which cannot be followed: {}", error.message())
               : fmt::format("which is a link that leads to {} (such a link could reach anything)", led.string());
}

void take_in_small_tensors(onnx::ModelProto& model, const ModelPlace& place) {
  constexpr std::uint64_t most_bytes = 512;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    const std::uint64_t bytes = tensor_bytes(tensor);
    const std::string location = entry(tensor, "location");
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL || bytes > most_bytes ||
        !why_not_read(place, location).empty()) {
      continue;
    }
    try {
      const File file = open_file(place.folder / location, O_RDONLY);
      std::string data(bytes, '\0');
      const auto offset = static_cast<off_t>(number_entry(tensor, "offset", 0).value_or(0));
      if (::pread(file.get(), data.data(), data.size(), offset) == static_cast<ssize_t>(bytes)) {
        tensor.set_raw_data(data);
        tensor.clear_data_location();
      }
    } catch (const Error&) {
      continue;  // Its shape is then not known.
    }
  }
}

}  // namespace pantile::detail
