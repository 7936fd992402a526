#include "run/stage_setup.hpp"

#include <fmt/format.h>

#include "base/file.hpp"

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

}  // namespace

ModelFile read_model(const StageConfig& stage) {
  try {
    ModelFile model{read_file(stage.model.resolved), {}};
    model.digest = xxh3_128(model.bytes);
    return model;
  } catch (const Error& error) {
    throw UsageError{fmt::format("pipeline.{}.model: {}. Paths of a job file count from the job file's folder.",
                                 stage.id, error.what())};
  }
}

StageOptions stage_options(const StageConfig& stage, const ModelFacts& facts) {
  if (!facts.local) {
    throw UsageError{
        fmt::format("pipeline.{}.model: {} cannot be cut into tiles: {}. This version runs local models only.",
                    stage.id, stage.model.written, facts.why_not_local)};
  }
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
