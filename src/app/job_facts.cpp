#include "app/job_facts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <span>
#include <variant>

#include "app/job_draft.hpp"
#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "config/scalars.hpp"
#include "run/stage_setup.hpp"
#include "source/inputs.hpp"

namespace fs = std::filesystem;

namespace pantile::app {
namespace {

/// Empty if the model runs.
std::string run_once(const ModelFile& model, const StageConfig& stage, const ModelFacts& facts, const Engine& engine) {
  constexpr int side = 128;  // more than any halo that the analysis lets pass is deep, on both sides, for most
  const Margin& halo = facts.geometry.halo;
  const Extent extent =
      rounded_up(Extent{side + halo.vertical(), side + halo.horizontal()}, facts.geometry.alignment_px);
  Meter meter;
  SlabPool slabs{meter};
  const Session session{engine, slabs, model.bytes, stage.model.written, model.place.folder};
  const std::vector<float> black(static_cast<std::size_t>(extent.area()) *
                                 static_cast<std::size_t>(facts.input_channels));
  return trial_problem(stage.model.written, session.run(black, facts.input_channels, extent), facts, extent);
}

std::string text_of(const MemoryAmount& amount) {
  return amount.kind == MemoryAmount::Kind::bytes ? size_text(amount.bytes) : fmt::format("{:g}%", amount.percent);
}

}  // namespace

OpenedEngine open_engine() {
  OpenedEngine opened;
  try {
    opened.engine = std::make_unique<Engine>();
    opened.facts = {opened.engine->version(), opened.engine->library().string(), ""};
  } catch (const Error& error) {
    opened.facts.error = error.what();
  }
  return opened;
}

InputFacts input_facts(const InputConfig& input) {
  InputFacts facts{.path = input.path.written, .error = "", .readable = false};
  try {
    const InputSpec spec{.path = input.path.resolved, .include = input.include, .exclude = input.exclude};
    const fs::path file = input_roots(std::span{&spec, 1}).front().path;
    facts.readable = ::access(file.c_str(), fs::is_directory(file) ? R_OK | X_OK : R_OK) == 0;
  } catch (const std::exception& error) {
    facts.error = error.what();
  }
  return facts;
}

std::string trial_problem(const std::string& path, const RunOutcome& outcome, const ModelFacts& facts, Extent input) {
  if (const auto* const failure = std::get_if<EngineFailure>(&outcome)) {
    return path + " does not run: " + failure->text;
  }
  if (const auto* const full = std::get_if<OutOfMemory>(&outcome)) {
    return fmt::format("{} does not run: there is no memory for an image of {}; it had {} and was refused {} more",
                       path, to_string(input), format_byte_size(full->peak_bytes),
                       format_byte_size(full->refused_bytes));
  }
  const Tensor& output = std::get<Tensor>(outcome);
  const Extent promised = output_extent(facts.geometry, Border::none, input);
  if (output.extent() == promised && output.channels() == facts.output_channels) {
    return "";
  }
  return fmt::format("{} gives {} channel{} of {} for an image of {}, and its graph promises {} of {}", path,
                     output.channels(), output.channels() == 1 ? "" : "s", to_string(output.extent()), to_string(input),
                     facts.output_channels, to_string(promised));
}

ModelTrial try_model(const RunConfig& config, const StageConfig& stage, const Engine* engine) {
  ModelTrial trial{.path = stage.model.written, .says = "", .error = ""};
  try {
    const ModelFile model = read_model(stage);
    const ModelFacts facts = stage_facts(config, stage, model);
    static_cast<void>(stage_options(stage, facts));
    trial.says = describe(facts) + (engine == nullptr ? "; not run, there is no engine" : "; runs");
    trial.error = engine == nullptr ? "" : run_once(model, stage, facts, *engine);
  } catch (const std::exception& error) {
    trial.error = error.what();
  }
  return trial;
}

CapFacts cap_facts(const MemoryConfig& memory, const MemoryFacts& machine) {
  return {.written = fmt::format("devices.memory.cap {}, leave {}", text_of(memory.cap), text_of(memory.leave)),
          .budget = memory.budget("cpu0", machine.limit, 1),
          .available = machine.available};
}

}  // namespace pantile::app
