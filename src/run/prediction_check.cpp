#include "run/prediction_check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <variant>

#include "base/error.hpp"
#include "image/tile_geometry.hpp"

namespace pantile {

namespace {

/// Height over width. As many as do not divide by the batches, so that each shape meets each batch.
constexpr std::array<double, 7> shapes{1, 4, 1.37, 0.0625, 0.7, 16, 0.25};

int side_of(double px, int unit, int least) { return std::max(least, static_cast<int>(std::lround(px / unit)) * unit); }

Extent extent_of(double scale, double shape, int unit, int least) {
  return {side_of(scale * std::sqrt(shape), unit, least), side_of(scale / std::sqrt(shape), unit, least)};
}

/// The smallest of this shape that needs `least`, or the largest that does not, if that one would need more than
/// `most`.
Extent input_of(const Footprint& footprint, double shape, int batch, int unit, int least_px, std::uint64_t least,
                std::uint64_t most) {
  double below = 1;
  double above = 1 << 15;
  for (int step = 0; step < 40; ++step) {
    const double scale = std::sqrt(below * above);
    (footprint.expect_peak(extent_of(scale, shape, unit, least_px), batch) < least ? below : above) = scale;
  }
  const Extent enough = extent_of(above, shape, unit, least_px);
  return footprint.expect_peak(enough, batch) <= most ? enough : extent_of(below, shape, unit, least_px);
}

}  // namespace

double HeldBack::error() const noexcept {
  const auto predicted = static_cast<double>(predicted_bytes);
  const auto measured = static_cast<double>(measured_bytes);
  return std::abs(predicted - measured) / measured;
}

std::vector<HeldBack> held_back_inputs(const Calibration& calibration, const HeldBackOptions& options) {
  expect(!calibration.probes.empty() && options.count > 1, "held-back inputs are chosen beside probes");
  const Footprint& footprint = calibration.footprint;
  int least_px = calibration.probes.front().input.height;
  for (const FootprintSample& probe : calibration.probes) {
    least_px = std::min({least_px, probe.input.height, probe.input.width});
  }
  std::vector<HeldBack> inputs;
  const double span = static_cast<double>(options.most_bytes) / static_cast<double>(options.least_bytes);
  for (int at = 0; at < options.count; ++at) {
    const double target = static_cast<double>(options.least_bytes) * std::pow(span, double(at) / (options.count - 1));
    const int batch = 1 + at % options.most_batch;
    const Extent input =
        input_of(footprint, shapes[static_cast<std::size_t>(at) % shapes.size()], batch, options.unit_px,
                 rounded_up(least_px, options.unit_px), static_cast<std::uint64_t>(target), options.most_bytes);
    const std::uint64_t predicted = footprint.expect_peak(input, batch);
    const auto is_same = [&](const auto& other) { return other.input == input && other.batch == batch; };
    if (predicted <= options.most_bytes && std::none_of(inputs.begin(), inputs.end(), is_same) &&
        std::none_of(calibration.probes.begin(), calibration.probes.end(), is_same)) {
      inputs.push_back({.input = input, .batch = batch, .predicted_bytes = predicted});
    }
  }
  return inputs;
}

void measure(const Session& session, std::vector<HeldBack>& inputs) {
  for (HeldBack& one : inputs) {
    const RunOutcome outcome = run_on_noise(session, one.input, one.batch);
    if (const auto* output = std::get_if<Tensor>(&outcome)) {
      one.measured_bytes = output->peak_bytes();
    }
  }
  session.trim();
  std::erase_if(inputs, [](const HeldBack& one) { return one.measured_bytes == 0; });
}

PredictionErrors errors_of(const std::vector<HeldBack>& measured) {
  expect(!measured.empty(), "errors are those of some inputs");
  std::vector<double> errors;
  for (const HeldBack& one : measured) {
    errors.push_back(one.error());
  }
  std::sort(errors.begin(), errors.end());
  const auto place = static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(errors.size()))) - 1;
  return {.p95 = errors[place], .most = errors.back()};
}

}  // namespace pantile
