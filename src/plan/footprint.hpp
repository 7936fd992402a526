#pragma once
// How much engine memory a tile needs, told before it runs: peak = d + b·h·w + c·(h + w), fitted from a few small
// probes.
//
// The term in h + w is what makes it right: a valid convolution loses a frame of pixels, and `a + b·px` alone misses
// by up to 28 % (facts: p95 0.84 %, at most 2.0 % over six models with this form). One probe should not be square.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/extent.hpp"

namespace pantile {

/// One measured tile: what the engine's allocator had handed out at most, weights not counted.
struct FootprintSample {
  Extent input;  ///< what the engine read: core and halo, pixels
  std::uint64_t peak_bytes = 0;
};

/// Predicts the peak engine bytes of one tile of batch 1. A plain value: copy it freely.
class Footprint {
 public:
  /// Added to each prediction, for what the form cannot express.
  static constexpr double margin = 1.03;

  /// Precondition: at least three samples that tell the three coefficients apart: h + w and h·w must both vary, so
  /// three different squares will do, and 64², 128², 64×256 is better. More than three: least squares of the relative
  /// error.
  explicit Footprint(std::span<const FootprintSample> samples);

  /// Peak engine bytes of a tile, margin included. Never below the largest sample that fits inside `input`.
  [[nodiscard]] std::uint64_t predict(Extent input) const;

  /// The engine ran out of memory on this input: it and all that are at least as large both ways are not to be tried
  /// again.
  void forbid(Extent input);
  [[nodiscard]] bool allows(Extent input) const;

  /// d (bytes), b (bytes per pixel), c (bytes per pixel of height + width); for the log and the tests.
  [[nodiscard]] const std::array<double, 3>& coefficients() const noexcept { return coefficients_; }

 private:
  std::array<double, 3> coefficients_{};
  std::vector<FootprintSample> samples_;
  std::vector<Extent> forbidden_;  ///< none contains another
};

}  // namespace pantile
