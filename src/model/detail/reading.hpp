#pragma once
// A model file as bytes becomes messages; what of it is weights, and where they lie.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "model/detail/graph.hpp"
#include "model/detail/shapes.hpp"
#include "model/facts.hpp"

namespace pantile::detail {

/// Throws UsageError, which says what is wrong with the bytes.
[[nodiscard]] onnx::ModelProto parse_model(std::span<const std::byte> bytes, std::string_view name);

/// "float32", "int64"; "?" for 0, "type 40" for what this version does not know.
[[nodiscard]] std::string type_name(int type);

/// Bytes of all constants, those in other files too.
[[nodiscard]] std::uint64_t weights_bytes(const Graph& graph);
/// Elements of all initializers of floats: what is commonly called parameters.
[[nodiscard]] std::uint64_t parameters(const Graph& graph);
/// Other files that hold weights, with the bytes of them that are needed. Throws UsageError if it makes no sense which
/// bytes are meant.
[[nodiscard]] std::map<std::string, std::uint64_t> external_bytes(const onnx::ModelProto& model, std::string_view name);
/// Puts other names in the place of those of such files.
void rename_weight_files(onnx::ModelProto& model, const std::map<std::string, std::string>& names);
/// Takes the small tensors of such files into the model: shapes may be computed with them. What cannot be
/// read stays where it is.
void take_in_small_tensors(onnx::ModelProto& model, const ModelPlace& place);
/// Why weights are not read there: "which is not a file in the model's folder (…)". Empty for names of files in its
/// folder or below it that, once links are followed, are there or where its own name leads to.
[[nodiscard]] std::string why_not_read(const ModelPlace& place, const std::string& location);

/// analyse(), of a graph that is read already, but for its weight files.
[[nodiscard]] ModelFacts facts_of_graph(const Graph& graph, const Shapes& shapes);

}  // namespace pantile::detail
