#include "run/calibrate.hpp"

#include <variant>

#include "base/log.hpp"

namespace pantile {

namespace {

bool is_still_true(Session& session, const Calibration& known) {
  if (!known.footprint.known() || known.probes.empty()) {
    return false;
  }
  const std::optional<AllocationPattern>& pattern = known.footprint.pattern();
  session.plan_with(pattern);
  const FootprintSample& probe = known.probes.front();
  Trace trace{.input = probe.input, .batch = probe.batch, .blocks = {}, .clock = 0};
  const RunOutcome outcome = run_on_noise(session, probe.input, probe.batch, &trace);
  const auto* const output = std::get_if<Tensor>(&outcome);
  const bool is_true = output != nullptr && (pattern ? trace.blocks == pattern->blocks(probe.input, probe.batch)
                                                     : output->peak_bytes() == probe.peak_bytes);
  if (!is_true) {
    session.plan_with({});
  }
  return is_true;
}

}  // namespace

Calibration calibrate(Session& session, const CalibrationKey& key, std::span<const Calibration> known,
                      ProbeOptions options) {
  for (const Calibration& one : known) {
    if (one.key == key && is_still_true(session, one)) {
      session.trim();
      log::debug("the memory that {} needs is known: {} probes were not run again", session.name(), one.probes.size());
      return one;
    }
  }
  const Probes probes = probe_footprint(session, options);
  log::debug("{} was probed {} times: {}", session.name(), probes.samples.size(),
             probes.pattern ? "its allocations are known" : "its allocations follow no pattern");
  return {.key = key,
          .weights_bytes = session.weights_bytes(),
          .probes = probes.samples,
          .footprint = footprint_of(probes),
          .is_cut_short = probes.refused};
}

}  // namespace pantile
