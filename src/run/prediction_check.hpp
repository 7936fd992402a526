#pragma once
// What a footprint predicts, beside what is measured, at inputs that were not probed.

#include <cstdint>
#include <vector>

#include "device/calibration.hpp"
#include "model/session.hpp"

namespace pantile {

struct HeldBackOptions {
  int count = 16;
  int unit_px = 1;  ///< sides are multiples of it
  int most_batch = 1;
  std::uint64_t least_bytes = 0;  ///< what the smallest of them should need
  std::uint64_t most_bytes = 0;   ///< and none more
};

/// An input that was not probed.
struct HeldBack {
  Extent input;
  int batch = 1;
  std::uint64_t predicted_bytes = 0;  ///< without margin
  std::uint64_t measured_bytes = 0;   ///< 0: it was not run, or did not run
  /// |predicted − measured| / measured. Precondition: it was measured.
  [[nodiscard]] double error() const noexcept;
};

/// Squares, strips and what is between, of all batches in turn, with predictions spread evenly (by factors) over the
/// bytes that are wanted. Fewer than `count` if some would come out alike, or need too much. Pure.
[[nodiscard]] std::vector<HeldBack> held_back_inputs(const Calibration& calibration, const HeldBackOptions& options);

/// Runs them one by one on made-up images. What the meter refuses, or the model does, is left out.
void measure(const Session& session, std::vector<HeldBack>& inputs);

/// The least that 95 % of them do not exceed, and the most of all. Precondition: there are some.
struct PredictionErrors {
  double p95 = 0;
  double most = 0;
};
[[nodiscard]] PredictionErrors errors_of(const std::vector<HeldBack>& measured);

}  // namespace pantile
