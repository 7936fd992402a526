#include "run/stage_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "model/analysis.hpp"
#include "store/file_hash.hpp"

namespace pantile {
namespace {

ColorMode color_mode(ImageConfig::Color color) {
  switch (color) {
    case ImageConfig::Color::RGB: return ColorMode::rgb;
    case ImageConfig::Color::BGR: return ColorMode::bgr;
    case ImageConfig::Color::Y: return ColorMode::y;
    case ImageConfig::Color::gray: return ColorMode::gray;
  }
  expect(false, "a colour of the config is one of four");
  return ColorMode::rgb;
}

Border border_of(const StageConfig& stage, const ModelFacts& facts) {
  if (facts.geometry.padding == Padding::same) {
    if (stage.image.border && *stage.image.border != ImageConfig::Border::none) {
      throw UsageError{
          fmt::format("pipeline.{}.image.border: the model {} pads the image itself, so there is nothing to "
                      "extend. Leave image.border out, or set it to none.",
                      stage.id, stage.model.written)};
    }
    return Border::none;
  }
  switch (stage.image.border.value_or(ImageConfig::Border::replicate)) {
    case ImageConfig::Border::none: return Border::none;
    case ImageConfig::Border::replicate: return Border::replicate;
    case ImageConfig::Border::reflect: return Border::reflect;
  }
  expect(false, "a border of the config is one of three");
  return Border::none;
}

/// The scaling of channel `i`, from lists that have one entry for all channels or one for each.
ChannelScaling scaling_of(const ImageConfig& image, std::size_t i) {
  const auto pick = [i](const std::vector<Ratio>& values) { return values.size() == 1 ? values[0] : values[i]; };
  return {.scale = image.scale.value(), .mean = pick(image.mean).value(), .std = pick(image.deviation).value()};
}

/// Weights in other files are as much the model as those in its own.
void add_weight_files(const ModelPlace& place, const std::string& written, ModelFile& model) {
  const std::vector<WeightFile> files = weight_files(model.bytes, place, written);
  for (const WeightFile& file : files) {
    if (!file.is_there) {
      throw UsageError{
          fmt::format("{} keeps {} of weights in '{}', which is not in its folder, or is shorter. Copy that file too, "
                      "or save the model as one: onnx.save(onnx.load(PATH), PATH2).",
                      written, format_byte_size(file.bytes), file.location)};
    }
    const std::array<Hash128, 2> both{model.digest, hash_of(file.place.folder / file.location, file.bytes).hash};
    model.digest = xxh3_128(std::as_bytes(std::span{both}));
    model.place = file.place;
  }
  if (std::optional<EngineModel> followed = with_links_followed(model.bytes, files, written)) {
    model.bytes = std::move(followed->bytes);
    model.place = followed->folder;
  }
}

}  // namespace

ModelFile read_model(const std::filesystem::path& file, const std::string& written) {
  ModelFile model{read_file(file, largest_model_bytes), {}, {}};
  model.digest = xxh3_128(model.bytes);
  add_weight_files(place_of(file), written, model);
  return model;
}

ModelFile read_model(const StageConfig& stage) {
  try {
    return read_model(stage.model.resolved, stage.model.written);
  } catch (const UsageError& error) {
    throw UsageError{fmt::format("pipeline.{}.model: {}", stage.id, error.what())};
  } catch (const Error& error) {
    throw UsageError{fmt::format("pipeline.{}.model: {}. Paths of a job file count from the job file's folder.",
                                 stage.id, error.what())};
  }
}

ModelFacts stage_facts(const RunConfig& config, const StageConfig& stage, const ModelFile& model) {
  ModelFacts facts = analyse(model.bytes, stage.model.written, model.place);
  if (const auto why = unfit(facts, stage.model.written)) {
    throw UsageError{fmt::format("pipeline.{}.model: {}", stage.id, *why)};
  }
  if (facts.local) {
    return facts;
  }
  if (config.tiles.size.kind == TileSize::Kind::whole) {
    facts.geometry.whole_only = true;  // Whoever allows inexact tiles and asks for none gets none.
    return facts;
  }
  if (config.tiles.allow_inexact && facts.followed) {
    return facts;
  }
  throw UsageError{fmt::format(
      "pipeline.{}.model: {} cannot be cut into tiles exactly: {}. Set tiles.size: whole, and each image goes through "
      "it whole{}.",
      stage.id, stage.model.written, facts.why_not_local,
      facts.followed ? fmt::format("; or tiles.allow_inexact: true, and tiles overlap by the {} px that its local part "
                                   "sees, with results that differ from those of the whole image",
                                   std::max({facts.geometry.halo.top, facts.geometry.halo.left,
                                             facts.geometry.halo.bottom, facts.geometry.halo.right}))
                     : "")};
}

StageOptions stage_options(const StageConfig& stage, const ModelFacts& facts) {
  if (facts.input_channels != stage.image.channels()) {
    throw UsageError{
        fmt::format("pipeline.{}.image.color: {} reads {} channel{}, but this color gives {}. Set color: {}.", stage.id,
                    stage.model.written, facts.input_channels, facts.input_channels == 1 ? "" : "s",
                    stage.image.channels(), facts.input_channels == 1 ? "Y" : "RGB")};
  }
  if (constexpr int most_channels = 4; facts.output_channels < 1 || facts.output_channels > most_channels) {
    throw UsageError{fmt::format(
        "pipeline.{}.output.kind: {} makes {} channels, and an image has 1 to {}. This version writes images "
        "only.",
        stage.id, stage.model.written, facts.output_channels, most_channels)};
  }
  StageOptions options{.color = color_mode(stage.image.color),
                       .border = border_of(stage, facts),
                       .scaling = {},
                       .output_scale = static_cast<float>(stage.output.scale.value())};
  for (int channel = 0; channel < facts.input_channels; ++channel) {
    options.scaling.push_back(scaling_of(stage.image, static_cast<std::size_t>(channel)));
  }
  return options;
}

}  // namespace pantile
