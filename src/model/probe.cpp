// Small runs that tell what all others will need.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <string>

#include "base/error.hpp"
#include "device/slab.hpp"
#include "image/tile_geometry.hpp"
#include "model/session.hpp"

namespace pantile {

namespace {

struct Probe {
  Extent extent;
  int batch = 1;
};

/// Small, so that probing fits under any cap under which tiles fit. Not all square, and one of them a strip: the first
/// four tell the four terms of a block's size apart (1, h·w, h, w), the first five that in (h·w)² too, and the rest
/// check them.
constexpr std::array<Probe, 6> single_probes{{{{3, 3}}, {{4, 4}}, {{3, 6}}, {{5, 5}}, {{4, 8}}, {{3, 12}}}};
/// Those that tell which of the terms grow with the batch.
constexpr std::array<Probe, 3> batch_probes{{{{3, 3}, 2}, {{3, 4}, 2}, {{3, 3}, 3}}};
constexpr int unit_px = 16;
/// A model that sees farther than the smallest probes is asked again with larger ones.
constexpr int largest_unit_px = 64;

/// What came of some of them.
struct Round {
  std::vector<Trace> traces;
  std::vector<FootprintSample> samples;
  std::string failure;   ///< of the last that failed; empty if none did
  bool refused = false;  ///< the meter refused one, and those behind it were not run
};

Round run_all(const Session& session, std::span<const Probe> probes, int unit) {
  Round round;
  for (const Probe& probe : probes) {
    Trace trace{.input = probe.extent * unit, .batch = probe.batch, .blocks = {}, .clock = 0};
    const RunOutcome outcome = run_on_black(session, trace.input, trace.batch, &trace);
    if (const auto* output = std::get_if<Tensor>(&outcome)) {
      round.samples.push_back({.input = trace.input, .peak_bytes = output->peak_bytes(), .batch = probe.batch});
      round.traces.push_back(std::move(trace));
    } else if (const auto* failed = std::get_if<EngineFailure>(&outcome)) {
      round.failure = failed->text;  // this extent may be too small for the model
    } else {
      round.refused = true;
      break;
    }
  }
  return round;
}

/// The same with batches, if they fit and run; what is known of single images stays true.
void add_batches(const Session& session, int unit, const Round& singles, Probes& probes) {
  const Round batches = run_all(session, batch_probes, unit);
  probes.samples.insert(probes.samples.end(), batches.samples.begin(), batches.samples.end());
  if (batches.samples.size() < batch_probes.size()) {
    return;
  }
  std::vector<Trace> traces = singles.traces;
  traces.insert(traces.end(), batches.traces.begin(), batches.traces.end());
  if (std::optional<AllocationPattern> pattern = AllocationPattern::learn(traces)) {
    probes.pattern = std::move(pattern);
  }
}

}  // namespace

RunOutcome run_on_black(const Session& session, Extent extent, int batch, Trace* trace) {
  try {
    const auto floats = static_cast<std::size_t>(batch * session.input_channels() * extent.area());
    MeteredBuffer input{session.meter(), floats * sizeof(float)};
    std::fill(input.floats().begin(), input.floats().end(), 0.0F);
    return session.run_recorded(input.floats(), extent, batch, trace);
  } catch (const std::bad_alloc&) {
    return OutOfMemory{};
  }
}

Probes probe_footprint(Session& session, ProbeOptions options) {
  Probes probes;
  std::string failure;
  for (int px = unit_px; px <= largest_unit_px; px *= 2) {
    const int unit = rounded_up(px, options.alignment_px);
    Round round = run_all(session, single_probes, unit);
    if (round.samples.size() >= probes.samples.size()) {
      probes.samples = round.samples;
    }
    failure = round.failure;
    if (!round.refused) {
      probes.pattern = AllocationPattern::learn(round.traces);
    }
    if (options.for_batches && session.takes_batches() && !round.refused && round.failure.empty()) {
      add_batches(session, unit, round, probes);
    }
    if (probes.pattern || round.refused || round.failure.empty()) {
      break;
    }
  }
  session.trim();
  if (probes.samples.empty() && !failure.empty()) {
    throw Error{
        fmt::format("{} (each small black image failed, so its memory cannot be predicted). Is it made for images "
                    "of any size?",
                    failure)};
  }
  if (probes.pattern) {
    session.plan_with(*probes.pattern);
  }
  return probes;
}

Footprint footprint_of(const Probes& probes) {
  if (probes.pattern) {
    return Footprint{*probes.pattern};
  }
  return probes.samples.size() < 3 ? Footprint{} : Footprint{probes.samples};
}

}  // namespace pantile
