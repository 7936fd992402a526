#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "base/printable.hpp"
#include "device/cpu.hpp"
#include "image/tile_geometry.hpp"
#include "model/analysis.hpp"
#include "model/engine.hpp"
#include "report/to_json_text.hpp"
#include "run/calibrate.hpp"
#include "run/calibration_files.hpp"
#include "run/prediction_check.hpp"
#include "run/stage_setup.hpp"

namespace pantile::app {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// Below this, whole pages and the engine's small blocks are what counts.
constexpr std::uint64_t worth_measuring_bytes = 16 * MiB;
/// Of a model whose graph does not say what its sides must be multiples of, and whose allocations do not either.
constexpr int usual_alignment_px = 32;
constexpr int most_batch = 4;

struct Calibrated {
  Calibration calibration;
  double seconds = 0;  ///< that probing took
  bool takes_batches = false;
  std::vector<HeldBack> held_back;
};

ModelFile read_the_model(const CalibrateCommand& command) {
  try {
    return read_model(command.model, command.model.string());
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError{fmt::format("{}. Name an ONNX file.", error.what())};
  }
}

std::uint64_t memory_of(const CalibrateCommand& command) {
  const std::optional<std::uint64_t> bytes = parse_byte_size(command.memory);
  if (!bytes || *bytes == 0) {
    throw UsageError{fmt::format("--memory {}: it is a size, as 256MiB", command.memory)};
  }
  return *bytes;
}

int unit_of(const Footprint& footprint, int alignment) {
  return rounded_up(footprint.pattern() ? footprint.pattern()->unit_px() : usual_alignment_px, alignment);
}

Calibrated calibrate_model(const CalibrateCommand& command) {
  const std::string name = command.model.string();
  const std::uint64_t memory = memory_of(command);
  const ModelFile model = read_the_model(command);
  const ModelFacts facts = analyse(model.bytes, name, model.place);
  if (const auto why = unfit(facts, name)) {
    throw UsageError{*why};
  }
  Meter meter{memory};
  SlabPool slabs{meter};
  const Engine engine;
  Session session{engine, slabs, model.bytes, name, model.place.folder};
  meter.set_cap(meter.current() + memory);
  Calibrated done;
  const Clock::time_point begin = Clock::now();
  done.calibration = calibrate(session, {model.digest, precision_f32, cpu_device_class(), engine.name()}, {},
                               {.alignment_px = facts.geometry.alignment_px, .for_batches = true});
  done.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (!done.calibration.footprint.known()) {
    throw UsageError{
        fmt::format("--memory {}: it is too little even for the small images that {} is probed with. "
                    "Raise it.",
                    command.memory, name)};
  }
  const auto& probes = done.calibration.probes;
  done.takes_batches =
      std::any_of(probes.begin(), probes.end(), [](const FootprintSample& probe) { return probe.batch > 1; });
  const int alignment = facts.geometry.alignment_px;
  done.held_back = held_back_inputs(
      done.calibration, {.count = command.samples,
                         .unit_px = facts.local ? alignment : unit_of(done.calibration.footprint, alignment),
                         .most_batch = done.takes_batches ? most_batch : 1,
                         .least_bytes = std::min(worth_measuring_bytes, memory / 2),
                         .most_bytes = memory / 8 * 7});
  log::info("measuring {} sizes that were not probed", done.held_back.size());
  measure(session, done.held_back);
  for (const HeldBack& one : done.held_back) {
    done.calibration.footprint.observe(one.input, one.batch, one.measured_bytes);
  }
  return done;
}

const char* method_of(const Calibration& calibration) {
  return calibration.footprint.pattern() ? "pattern" : "formula";
}

void print_json(const Calibrated& done, const std::string& file) {
  Json samples = Json::array();
  for (const HeldBack& one : done.held_back) {
    samples.push_back({{"px", one.input.area()},
                       {"height", one.input.height},
                       {"width", one.input.width},
                       {"batch", one.batch},
                       {"predicted_bytes", one.predicted_bytes},
                       {"measured_bytes", one.measured_bytes}});
  }
  const bool any = !done.held_back.empty();
  const PredictionErrors errors = any ? errors_of(done.held_back) : PredictionErrors{};
  const Json json{{"device_class", done.calibration.key.device_class},
                  {"engine", done.calibration.key.engine},
                  {"method", method_of(done.calibration)},
                  {"probes", done.calibration.probes.size()},
                  {"seconds", done.seconds},
                  {"weights_bytes", done.calibration.weights_bytes},
                  {"samples", std::move(samples)},
                  {"p95_error", any ? Json(errors.p95) : Json(nullptr)},
                  {"max_error", any ? Json(errors.most) : Json(nullptr)},
                  {"file", file.empty() ? Json(nullptr) : Json(file)}};
  fmt::print("{}", to_json_text(json));
}

void print_table(const Calibrated& done, const std::string& model, const std::string& file) {
  const Calibration& known = done.calibration;
  fmt::print("{} on {} with {}: {} probes in {:.2f} s, {}\n\n", printable(model), known.key.device_class,
             known.key.engine, known.probes.size(), done.seconds,
             known.footprint.pattern()
                 ? fmt::format("a pattern of {} allocations", known.footprint.pattern()->pattern().size())
                 : "no pattern in its allocations: predicted by a formula");
  if (done.held_back.empty()) {
    fmt::print("no size could be measured under --memory\n");
  } else {
    Table table{{"height", "width", "batch", "predicted", "measured", "error"}};
    for (const HeldBack& one : done.held_back) {
      table.add({std::int64_t{one.input.height}, std::int64_t{one.input.width}, std::int64_t{one.batch},
                 format_byte_size(one.predicted_bytes), format_byte_size(one.measured_bytes),
                 fmt::format("{:.2f} %", 100 * one.error())});
    }
    const PredictionErrors errors = errors_of(done.held_back);
    fmt::print(
        "{}\nerror at {} sizes that were not probed: {:.2f} % for 95 % of them, at most {:.2f} %; plans add "
        "{:.0f} %\n",
        table.text(TableFormat::table), done.held_back.size(), 100 * errors.p95, 100 * errors.most,
        100 * (known.footprint.margin() - 1));
  }
  if (!file.empty()) {
    fmt::print("kept in {}\n", printable(file));
  }
}

}  // namespace

ExitCode carry_out(const CalibrateCommand& command) {
  const Calibrated done = calibrate_model(command);
  const CalibrationFolders folders = calibration_folders();
  const bool is_kept = keep_calibration(folders, done.calibration);
  const std::string file = is_kept ? (folders.cache / file_name(done.calibration.key)).string() : "";
  if (command.format == TableFormat::json) {
    print_json(done, file);
  } else {
    print_table(done, command.model.string(), file);
  }
  return ExitCode::done;
}

}  // namespace pantile::app
