#pragma once
// The config's stage, met with the facts of its model: what must fit together, and the options that follow.

#include <filesystem>

#include "base/hash.hpp"
#include "base/wire.hpp"
#include "config/config.hpp"
#include "model/facts.hpp"
#include "pipeline/model_stage.hpp"

namespace pantile {

/// The model file of a stage: its bytes, and the digest that enters the run's identity.
struct ModelFile {
  Bytes bytes;
  Hash128 digest;
};
/// Throws UsageError if the file is not there or cannot be read.
[[nodiscard]] ModelFile read_model(const StageConfig& stage);

/// How pixels enter and leave the model. Throws UsageError, in words, if the config asks for what the model is not:
/// another number of channels, a border for a model that pads itself; or if the model is not local.
[[nodiscard]] StageOptions stage_options(const StageConfig& stage, const ModelFacts& facts);

}  // namespace pantile
