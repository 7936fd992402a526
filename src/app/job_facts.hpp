#pragma once
// What a job needs of the machine, tried.

#include <memory>
#include <optional>
#include <string>

#include "app/findings.hpp"
#include "config/config.hpp"
#include "model/engine.hpp"
#include "model/facts.hpp"
#include "model/session.hpp"

namespace pantile::app {

/// The engine of this process, if there is one.
struct OpenedEngine {
  EngineFacts facts;
  std::unique_ptr<Engine> engine;
};
[[nodiscard]] OpenedEngine open_engine();

[[nodiscard]] InputFacts input_facts(const InputConfig& input);

/// Why the job would stop at a model that gave this for an image of `input`, whose sides are multiples of its
/// alignment; empty if it ran and gave what its facts promise. `path` is for the message.
[[nodiscard]] std::string trial_problem(const std::string& path, const RunOutcome& outcome, const ModelFacts& facts,
                                        Extent input);

/// Reads and analyses the model, holds it against the job, and runs it on a small black image. Without an engine it is
/// not run.
[[nodiscard]] ModelTrial try_model(const RunConfig& config, const StageConfig& stage, const Engine* engine);

/// The cap of the job, given what the machine has.
[[nodiscard]] CapFacts cap_facts(const MemoryConfig& memory, const MemoryFacts& machine);

}  // namespace pantile::app
