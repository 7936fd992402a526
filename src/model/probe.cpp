// Small runs that tell what all others will need.

#include <fmt/format.h>

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
/// The unit of their sides. Where there is no room for the largest of them, a smaller one; where they show no pattern,
/// one for patches that do not divide 16 (7 and 14 px); for a model that sees farther than the smallest, larger ones
/// too.
constexpr int usual_unit_px = 16;
constexpr std::array<int, 1> smaller_units_px{8};
constexpr std::array<int, 3> other_units_px{28, 32, 64};

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
    const RunOutcome outcome = run_on_noise(session, trace.input, trace.batch, &trace);
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

struct Singles {
  int unit = 1;
  Round round;
  std::optional<AllocationPattern> pattern;
  [[nodiscard]] bool ran_all() const noexcept { return !round.refused && round.failure.empty(); }
};

Singles run_singles(const Session& session, int unit) {
  Singles singles{.unit = unit, .round = run_all(session, single_probes, unit), .pattern = {}};
  if (!singles.round.refused) {
    singles.pattern = AllocationPattern::learn(singles.round.traces);
  }
  return singles;
}

/// At the sizes that tell most.
Singles best_singles(const Session& session, int alignment_px) {
  Singles best = run_singles(session, rounded_up(usual_unit_px, alignment_px));
  const std::span<const int> others = best.round.refused ? std::span<const int>{smaller_units_px}
                                      : best.ran_all()   ? std::span<const int>{other_units_px}.first(1)
                                                         : std::span<const int>{other_units_px};
  for (auto px = others.begin(); px != others.end() && !best.pattern; ++px) {
    Singles next = run_singles(session, rounded_up(*px, alignment_px));
    if (next.pattern || next.round.samples.size() > best.round.samples.size()) {
      best = std::move(next);
    }
  }
  return best;
}

/// The same with batches, if they fit and run; what is known of single images stays true.
void add_batches(const Session& session, const Singles& singles, Probes& probes) {
  const Round batches = run_all(session, batch_probes, singles.unit);
  probes.samples.insert(probes.samples.end(), batches.samples.begin(), batches.samples.end());
  if (batches.samples.size() < batch_probes.size()) {
    return;
  }
  std::vector<Trace> traces = singles.round.traces;
  traces.insert(traces.end(), batches.traces.begin(), batches.traces.end());
  if (std::optional<AllocationPattern> pattern = AllocationPattern::learn(traces)) {
    probes.pattern = std::move(pattern);
  }
}

}  // namespace

RunOutcome run_on_noise(const Session& session, Extent extent, int batch, Trace* trace) {
  try {
    const auto floats = static_cast<std::size_t>(batch * session.input_channels() * extent.area());
    MeteredBuffer input{session.meter(), floats * sizeof(float)};
    // Black would hide what depends on the picture: NonZero finds nothing in it.
    std::uint32_t value = 1;
    for (float& sample : input.floats()) {
      value = value * 1664525U + 1013904223U;
      sample = static_cast<float>(value >> 8U) * 0x1p-24F;
    }
    return session.run_recorded(input.floats(), extent, batch, trace);
  } catch (const std::bad_alloc&) {
    return OutOfMemory{};
  }
}

Probes probe_footprint(Session& session, ProbeOptions options) {
  session.plan_with({});
  const Singles singles = best_singles(session, options.alignment_px);
  Probes probes{.pattern = singles.pattern, .samples = singles.round.samples, .refused = singles.round.refused};
  if (options.for_batches && session.takes_batches() && singles.ran_all()) {
    add_batches(session, singles, probes);
  }
  session.trim();
  if (probes.samples.empty() && !singles.round.failure.empty()) {
    throw Error{
        fmt::format("{} (each small image failed, so its memory cannot be predicted). Is it made for images "
                    "of any size?",
                    singles.round.failure)};
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
