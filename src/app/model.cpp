#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "base/printable.hpp"
#include "codec/decode.hpp"
#include "image/pixels.hpp"
#include "model/check.hpp"
#include "model/engine.hpp"
#include "report/to_json_text.hpp"

namespace pantile::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t label_columns = 12;
constexpr std::size_t line_columns = 100;

/// "label       text", with long text on several lines.
void print_field(std::string_view label, const std::string& words) {
  const std::string text = printable(words);
  std::string line = fmt::format("{:<{}}", label, label_columns);
  std::size_t used = label_columns;
  bool is_first = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    // What people see: bytes that continue a character take no column.
    const auto columns = static_cast<std::size_t>(std::count_if(
        word.begin(), word.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    if (!is_first && used + 1 + columns > line_columns) {
      fmt::print("{}\n", line);
      line = std::string(label_columns, ' ');
      used = label_columns;
      is_first = true;
    }
    line += is_first ? "" : " ";
    line += word;
    used += columns + (is_first ? 0 : 1);
    is_first = false;
    at = end + 1;
  }
  fmt::print("{}\n", line);
}

/// "552,480": fmt's own needs a locale.
std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string shape(const TensorFacts& tensor) {
  return tensor.has_rank ? fmt::format("[{}]", fmt::join(tensor.dims, ", ")) : std::string{"of unknown shape"};
}

std::string sides(const Margin& halo) {
  const bool even = halo.top == halo.left && halo.top == halo.bottom && halo.top == halo.right;
  return even ? fmt::format("{} px a side", halo.top)
              : fmt::format("{} px above, {} left, {} below, {} right", halo.top, halo.left, halo.bottom, halo.right);
}

std::string tiles_text(const ModelReport& report) {
  const ModelFacts& facts = report.facts;
  const TileGeometry& geometry = facts.geometry;
  if (facts.local) {
    return fmt::format("exact: {} px and more give the same bits as the whole image",
                       rounded_up(geometry.min_tile_px, geometry.alignment_px));
  }
  if (!facts.makes_image) {
    return "none: its output is no image of its input";
  }
  return facts.followed ? "tiles.size: whole is exact; tiles.allow_inexact: true cuts it all the same"
                        : "tiles.size: whole, each image at once";
}

void print_table(const std::string& path, const ModelReport& report) {
  const ModelFacts& facts = report.facts;
  fmt::print("{}\n\n", printable(path));
  for (const TensorFacts& input : facts.inputs) {
    print_field("input", fmt::format("{} {} {}", input.name, input.type, shape(input)));
  }
  for (std::size_t at = 0; at < facts.outputs.size(); ++at) {
    const std::string& scale = report.outputs[at].scale;
    print_field("output", fmt::format("{} {} {}{}", facts.outputs[at].name, facts.outputs[at].type,
                                      shape(facts.outputs[at]), scale.empty() ? "" : fmt::format(", scale {}", scale)));
  }
  print_field("local", facts.local ? "yes" : fmt::format("no: {}", facts.why_not_local));
  if (facts.followed) {
    print_field("halo", sides(report.outputs.front().halo));
    print_field("padding", facts.geometry.padding == Padding::valid
                               ? "valid: the output is smaller by the halo, unless image.border extends the image"
                               : "same: it pads the edges of the image itself");
  }
  if (facts.makes_image) {
    print_field("alignment", facts.geometry.alignment_px == 1 ? "none"
                                                              : fmt::format("{} px: images are extended to a multiple",
                                                                            facts.geometry.alignment_px));
  }
  print_field("tiles", tiles_text(report));
  print_field("run", report.unfit ? fmt::format("no: {}", *report.unfit) : "yes");
  print_field("weights", fmt::format("{}, {} parameters", format_byte_size(facts.weights_bytes),
                                     grouped(static_cast<double>(report.parameters))));
  for (const WeightFile& file : report.weight_files) {
    print_field("", fmt::format("{} of it in '{}'{}", format_byte_size(file.bytes), file.location,
                                file.is_there ? "" : ", which is NOT THERE, or shorter"));
  }
  print_field("work", grouped(report.macs_per_px) + " multiply-adds for each input pixel");
  print_field("memory",
              fmt::format("{} bytes of activations for each input pixel, at once{}", grouped(report.bytes_per_px),
                          report.unknown_tensors == 0
                              ? ""
                              : fmt::format(" (without {} tensors of unknown shape)", report.unknown_tensors)));
  std::vector<std::string> parts;
  for (const auto& [domain, version] : report.opsets) {
    parts.push_back(fmt::format("{} {}", domain, version));
  }
  print_field("format", fmt::format("IR {}, operator sets {}{}", report.ir_version, fmt::join(parts, ", "),
                                    report.producer.empty() ? "" : fmt::format(", made by {}", report.producer)));
  parts.clear();
  std::vector<std::pair<std::string, std::uint64_t>> operators{report.operators.begin(), report.operators.end()};
  std::stable_sort(operators.begin(), operators.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, count] : operators) {
    parts.push_back(fmt::format("{} {}", count, name));
  }
  print_field("nodes", fmt::format("{}: {}", report.nodes, fmt::join(parts, ", ")));
  if (!report.cuts.empty()) {
    Table cuts{{"cut at", "tensors", "bytes_per_px", "work_before", "after"}};
    for (const ModelCut& cut : report.cuts) {
      cuts.add({cut.position, cut.tensors, fmt::format("{:.1f}", cut.bytes_per_px),
                fmt::format("{:.0f} %", 100 * cut.work_before), cut.node.substr(0, 48)});
    }
    fmt::print("\n{}", cuts.text(TableFormat::table));
  }
}

Json tensor_json(const TensorFacts& tensor) {
  Json dims = Json::array();
  for (const std::string& dim : tensor.dims) {
    const bool fixed = !dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos && dim.size() < 18;
    dims.push_back(fixed ? Json(std::stoll(dim)) : Json(dim));
  }
  return {{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.has_rank ? dims : Json(nullptr)}};
}

Json halo_json(const Margin& halo) {
  return {{"top", halo.top}, {"left", halo.left}, {"bottom", halo.bottom}, {"right", halo.right}};
}

int widest(const Margin& halo) { return std::max({halo.top, halo.left, halo.bottom, halo.right}); }

Json scale_json(const OutputFacts& output) {
  return output.up == 0 ? Json(nullptr) : output.down == 1 ? Json(output.up) : Json(double(output.up) / output.down);
}

Json report_json(const ModelReport& report) {
  const ModelFacts& facts = report.facts;
  Json inputs = Json::array();
  for (const TensorFacts& input : facts.inputs) {
    inputs.push_back(tensor_json(input));
  }
  Json outputs = Json::array();
  for (std::size_t at = 0; at < facts.outputs.size(); ++at) {
    Json output = tensor_json(facts.outputs[at]);
    const bool followed = !report.outputs[at].scale.empty() && report.outputs[at].up > 0;
    output["scale"] = scale_json(report.outputs[at]);
    output["halo_px"] = followed ? Json(widest(report.outputs[at].halo)) : Json(nullptr);
    output["alignment_px"] = report.outputs[at].alignment_px;
    outputs.push_back(std::move(output));
  }
  Json opsets = Json::object();
  for (const auto& [domain, version] : report.opsets) {
    opsets[domain] = version;
  }
  Json files = Json::array();
  for (const WeightFile& file : report.weight_files) {
    files.push_back({{"file", file.location}, {"bytes", file.bytes}, {"is_there", file.is_there}});
  }
  Json cuts = Json::array();
  for (const ModelCut& cut : report.cuts) {
    cuts.push_back({{"position", cut.position},
                    {"node", cut.node},
                    {"tensors", cut.tensors},
                    {"bytes_per_px", cut.bytes_per_px},
                    {"work_before", cut.work_before}});
  }
  const auto if_known = [](bool known, Json value) { return known ? std::move(value) : Json(nullptr); };
  const auto or_null = [&](const std::string& text) { return if_known(!text.empty(), text); };
  return {{"inputs", std::move(inputs)},
          {"outputs", std::move(outputs)},
          {"scale", scale_json(report.outputs.front())},
          {"halo_px", if_known(facts.followed, widest(report.outputs.front().halo))},
          {"halo", if_known(facts.followed, halo_json(report.outputs.front().halo))},
          {"padding", if_known(facts.followed, facts.geometry.padding == Padding::valid ? "valid" : "same")},
          {"alignment_px", if_known(facts.makes_image, facts.geometry.alignment_px)},
          {"local", facts.local},
          {"why_not_local", or_null(facts.why_not_local)},
          {"runs", !report.unfit.has_value()},
          {"why_not", or_null(report.unfit.value_or(""))},
          {"min_tile_px", if_known(facts.local, facts.geometry.min_tile_px)},
          {"fixed_size", if_known(!facts.fixed.empty(), Json{facts.fixed.height, facts.fixed.width})},
          {"weights_bytes", facts.weights_bytes},
          {"parameters", report.parameters},
          {"weight_files", std::move(files)},
          {"macs_per_px", report.macs_per_px},
          {"bytes_per_px", report.bytes_per_px},
          {"unknown_tensors", report.unknown_tensors},
          {"cuts", std::move(cuts)},
          {"ir_version", report.ir_version},
          {"opsets", std::move(opsets)},
          {"producer", report.producer},
          {"nodes", report.nodes},
          {"operators", report.operators}};
}

Json check_json(const ModelCheck& check) {
  Json lines = Json::array();
  for (const CheckLine& line : check.lines) {
    lines.push_back({{"ok", line.ok}, {"what", line.what}, {"text", line.text}});
  }
  return {{"ok", check.ok()},
          {"min_tile_px", check.min_tile_px ? Json(*check.min_tile_px) : Json(nullptr)},
          {"bytes_per_px", check.bytes_per_px ? Json(*check.bytes_per_px) : Json(nullptr)},
          {"lines", std::move(lines)}};
}

/// The pixels of a file from 0 to 1, mirrored where the checker wants more than there are.
Picture picture_of(const std::filesystem::path& path) {
  const Bytes encoded = read_file(path);
  auto decoded = decode(encoded, DecodeLimits{});
  if (!decoded) {
    throw UsageError{
        fmt::format("--image: {} cannot be read: {}. Name another image.", path.string(), decoded.failure().detail)};
  }
  return [image = std::make_shared<Image>(std::move(decoded).value())](int channels, Extent extent) {
    const ColorMode mode = channels == 3 ? ColorMode::rgb : ColorMode::y;
    const InputTable table{std::vector<ChannelScaling>(static_cast<std::size_t>(channels_of(mode)))};
    std::vector<float> planes(static_cast<std::size_t>(channels_of(mode) * extent.area()));
    gather_tile(image->view(), whole(extent), Border::reflect, mode, table, planes);
    const auto plane = static_cast<std::size_t>(extent.area());
    while (planes.size() < static_cast<std::size_t>(channels) * plane) {
      planes.insert(planes.end(), planes.begin(), planes.begin() + static_cast<std::ptrdiff_t>(plane));
    }
    return planes;
  };
}

ModelCheck check_of(const ModelCommand& command, const Bytes& bytes, const ModelReport& report) {
  const Engine engine;
  const std::vector<WeightFile>& files = report.weight_files;
  const bool all_there = std::all_of(files.begin(), files.end(), [](const WeightFile& file) { return file.is_there; });
  const auto followed = all_there ? with_links_followed(bytes, files, command.model.string()) : std::nullopt;
  const std::filesystem::path folder = files.empty() ? "" : files.front().place.folder;
  return check_model(engine, followed ? followed->bytes : bytes, followed ? followed->folder : folder,
                     command.model.string(), report,
                     command.image.empty() ? Picture{textured_picture} : picture_of(command.image));
}

}  // namespace

ExitCode carry_out(const ModelCommand& command) {
  const Bytes bytes = [&] {
    try {
      return read_file(command.model, largest_model_bytes);
    } catch (const Error& error) {
      throw UsageError{fmt::format("{}. Name an ONNX file.", error.what())};
    }
  }();
  const ModelReport report = examine(bytes, place_of(command.model), command.model.string());
  std::optional<ModelCheck> check;
  if (command.format == TableFormat::table) {
    print_table(command.model.string(), report);
  }
  if (command.check || !command.image.empty()) {
    check = check_of(command, bytes, report);
  }
  if (command.format == TableFormat::json) {
    Json json = report_json(report);
    if (check) {
      json["check"] = check_json(*check);
    }
    fmt::print("{}", to_json_text(json));
  } else if (check) {
    fmt::print("\n");
    for (const CheckLine& line : check->lines) {
      print_field(line.ok ? "ok" : "failed", line.text);
    }
  }
  return check && !check->ok() ? ExitCode::differs : ExitCode::done;
}

}  // namespace pantile::app
