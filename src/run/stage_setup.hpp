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
  Bytes bytes;       ///< with the names of what links of weights lead to
  Hash128 digest;    ///< of the files that hold its weights too
  ModelPlace place;  ///< where those lie; empty if it keeps no weights elsewhere
};
/// Throws UsageError if the file is not there or cannot be read, or one of those with its weights.
[[nodiscard]] ModelFile read_model(const StageConfig& stage);
/// The same of a file that no job names; `written` is for messages. Throws Error if it cannot be read.
[[nodiscard]] ModelFile read_model(const std::filesystem::path& file, const std::string& written);

/// The facts of a stage's model as this job uses it: what is not local is only shown whole images, or is cut all the
/// same where the config allows that. Throws UsageError if the model cannot be run, or not as the config wants it.
[[nodiscard]] ModelFacts stage_facts(const RunConfig& config, const StageConfig& stage, const ModelFile& model);

/// How pixels enter and leave the model. Throws UsageError, in words, if the config asks for what the model is not:
/// another number of channels, a border for a model that pads itself. `facts` are those of stage_facts().
[[nodiscard]] StageOptions stage_options(const StageConfig& stage, const ModelFacts& facts);

}  // namespace pantile
