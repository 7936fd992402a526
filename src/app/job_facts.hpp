#pragma once
// What a job needs of the machine, tried.

#include <optional>

#include "app/findings.hpp"
#include "config/config.hpp"
#include "model/engine.hpp"

namespace pantile::app {

/// The engine of this process, if there is one.
struct OpenedEngine {
  EngineFacts facts;
  std::unique_ptr<Engine> engine;
};
[[nodiscard]] OpenedEngine open_engine();

[[nodiscard]] InputFacts input_facts(const InputConfig& input);

/// Reads and analyses the model, holds it against the job, and runs it on a small black image. Without an engine it is
/// not run.
[[nodiscard]] ModelTrial try_model(const RunConfig& config, const StageConfig& stage, const Engine* engine);

/// The cap of the job, given what the machine has.
[[nodiscard]] CapFacts cap_facts(const MemoryConfig& memory, const MemoryFacts& machine);

}  // namespace pantile::app
