#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <system_error>

#include "base/error.hpp"
#include "model/analysis.hpp"
#include "model/detail/costs.hpp"
#include "model/detail/geometry.hpp"
#include "model/detail/onnx.hpp"
#include "model/detail/reading.hpp"

namespace pantile {

namespace fs = std::filesystem;

namespace {

using Locations = std::map<std::string, std::uint64_t>;

/// In the place's own folder.
std::vector<WeightFile> found_in(const ModelPlace& place, const Locations& locations, std::string_view name) {
  std::vector<WeightFile> files;
  for (const auto& [location, bytes] : locations) {
    if (const std::string why = detail::why_not_read(place, location); !why.empty()) {
      throw UsageError{fmt::format("{} keeps weights in '{}', {}. Save it again: onnx.save(onnx.load(PATH), PATH2).",
                                   name, location.c_str(), why)};  // A byte 0 would end what a person sees of it.
    }
    std::error_code error;
    const std::uintmax_t size = fs::file_size(place.folder / location, error);
    const bool is_file = !error && fs::is_regular_file(place.folder / location, error);
    files.push_back({.location = location,
                     .bytes = bytes,
                     .is_there = is_file && size >= bytes,
                     .place = place,
                     .real = fs::weakly_canonical(place.folder / location, error)});
  }
  return files;
}

bool all_there(const std::vector<WeightFile>& files) {
  return std::all_of(files.begin(), files.end(), [](const WeightFile& file) { return file.is_there; });
}

std::vector<WeightFile> located(const onnx::ModelProto& model, const ModelPlace& place, std::string_view name) {
  const Locations locations = detail::external_bytes(model, name);
  std::vector<WeightFile> files = found_in(place, locations, name);
  if (!all_there(files) && place.real != place.folder) {
    std::vector<WeightFile> beside_target = found_in(place.real, locations, name);
    return all_there(beside_target) ? beside_target : files;
  }
  return files;
}

std::string opset_domain(const std::string& domain) { return domain.empty() ? "ai.onnx" : domain; }

}  // namespace

ModelPlace place_of(const fs::path& model) {
  std::error_code error;
  const fs::path real = fs::is_symlink(model, error) ? fs::canonical(model, error) : model;
  return error ? ModelPlace{model.parent_path()} : ModelPlace{model.parent_path(), real.parent_path()};
}

std::optional<EngineModel> with_links_followed(std::span<const std::byte> bytes, const std::vector<WeightFile>& files,
                                               std::string_view name) {
  const auto holds = [](const fs::path& folder, const fs::path& file) {
    return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
  };
  const auto home = [](const WeightFile& file) {
    return fs::canonical(file.place.folder.empty() ? "." : file.place.folder);
  };
  if (std::all_of(files.begin(), files.end(), [&](const WeightFile& file) { return holds(home(file), file.real); })) {
    return std::nullopt;
  }
  fs::path folder = files.front().real.parent_path();
  std::map<std::string, std::string> names;
  for (const WeightFile& file : files) {
    while (!holds(folder, file.real)) {
      folder = folder.parent_path();
    }
  }
  for (const WeightFile& file : files) {
    names[file.location] = file.real.lexically_relative(folder).string();
  }
  onnx::ModelProto model = detail::parse_model(bytes, name);
  detail::rename_weight_files(model, names);
  return EngineModel{detail::serialized(model), folder};
}

std::vector<WeightFile> weight_files(std::span<const std::byte> model, const ModelPlace& place, std::string_view name) {
  return located(detail::parse_model(model, name), place, name);
}

ModelReport examine(std::span<const std::byte> bytes, const ModelPlace& place, std::string_view name) {
  onnx::ModelProto model = detail::parse_model(bytes, name);
  std::vector<WeightFile> files = located(model, place, name);
  detail::take_in_small_tensors(model, files.empty() ? place : files.front().place);
  const detail::Graph graph{model};
  const detail::Shapes shapes{graph};
  ModelReport report{.facts = detail::facts_of_graph(graph, shapes),
                     .unfit = {},
                     .ir_version = model.ir_version(),
                     .opsets = {},
                     .producer = model.producer_name(),
                     .nodes = static_cast<std::uint64_t>(model.graph().node_size()),
                     .operators = {},
                     .parameters = detail::parameters(graph),
                     .weight_files = std::move(files),
                     .outputs = {},
                     .nominal = {static_cast<int>(shapes.nominal().height), static_cast<int>(shapes.nominal().width)},
                     .macs_per_px = 0,
                     .bytes_per_px = 0,
                     .unknown_tensors = 0,
                     .cuts = {}};
  for (const WeightFile& file : report.weight_files) {
    report.facts.weight_files.push_back(file.location);
  }
  report.unfit = unfit(report.facts, name);
  if (!model.producer_version().empty()) {
    report.producer += (report.producer.empty() ? "" : " ") + model.producer_version();
  }
  for (const auto& set : model.opset_import()) {
    report.opsets.emplace_back(opset_domain(set.domain()), set.version());
  }
  for (const auto& node : model.graph().node()) {
    const std::string domain = opset_domain(node.domain());
    ++report.operators[domain == "ai.onnx" ? node.op_type() : domain + "." + node.op_type()];
  }
  const detail::Walk walk = detail::walk(graph, shapes);
  for (std::size_t at = 0; at < walk.outputs.size(); ++at) {
    OutputFacts output{};
    output.name = report.facts.outputs[at].name;
    if (const auto& grid = walk.outputs[at]) {
      output.scale = detail::scale_text(*grid);
      if (std::int64_t{grid->y.density} * grid->x.period == std::int64_t{grid->x.density} * grid->y.period) {
        output.up = grid->y.density / std::gcd(grid->y.density, grid->y.period);
        output.down = grid->y.period / std::gcd(grid->y.density, grid->y.period);
      }
      const detail::FoundGeometry found = detail::tile_geometry(*grid, shapes.claims());
      const bool valid = found.why_not.empty() && found.geometry.padding == Padding::valid;
      output.shift_y = valid ? found.geometry.halo.top : 0;
      output.shift_x = valid ? found.geometry.halo.left : 0;
      output.halo = detail::reach_of(*grid, output.shift_y, output.shift_x);
      output.alignment_px = found.geometry.alignment_px;
    } else if (at == 0 && report.facts.makes_image) {
      output.scale = std::to_string(report.facts.geometry.scale);
      output.alignment_px = report.facts.geometry.alignment_px;
    }
    report.outputs.push_back(std::move(output));
  }
  detail::Costs costs = detail::costs_of(graph, shapes);
  const auto pixels = static_cast<double>(report.nominal.area());
  report.macs_per_px = costs.macs / pixels;
  report.bytes_per_px = costs.peak_bytes / pixels;
  report.unknown_tensors = costs.unknown_tensors;
  report.cuts = std::move(costs.cuts);
  return report;
}

}  // namespace pantile
