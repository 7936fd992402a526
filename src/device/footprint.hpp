#pragma once
// How much engine memory a tile needs, told before it runs. A plain value: equal, copied, sent and kept as it is. Pure.
//
// The prediction is the run itself, played from the model's pattern of allocations (allocation_pattern.hpp): exact but
// for what rounds within the model. Where the sequence of allocations is not the same for all inputs (If, Loop,
// NonZero) there is no pattern, and the peak is taken for batch·(d + b·h·w + c·(h + w)), fitted to measured runs. The
// term in h + w is what makes that right: a valid convolution loses a frame of pixels, and `a + b·px` alone misses by
// up to 28 %.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/extent.hpp"
#include "base/fields.hpp"
#include "device/allocation_pattern.hpp"

namespace pantile {

/// One measured run: what the engine's allocator had handed out at most, weights not counted.
struct FootprintSample {
  Extent input;  ///< what the engine read: core and halo, pixels
  std::uint64_t peak_bytes = 0;
  std::int32_t batch = 1;
  bool operator==(const FootprintSample&) const = default;
};

/// Predicts the peak engine bytes of one run.
class Footprint {
 public:
  /// What a prediction is multiplied with. A formula knows less than a pattern: blocks have no places of their own, and
  /// first fit wastes now more and now less.
  static constexpr double pattern_margin = 1.03;
  static constexpr double formula_margin = 1.15;

  /// Knows nothing, and predicts nothing.
  Footprint() = default;
  explicit Footprint(AllocationPattern pattern) { parts_.pattern = std::move(pattern); }
  /// By the formula. Precondition: at least three samples that tell the three coefficients apart: h + w and h·w must
  /// both vary, so three different squares will do, and 64², 128², 64×256 is better. More than three: least squares of
  /// the relative error.
  explicit Footprint(std::span<const FootprintSample> samples);

  [[nodiscard]] bool known() const noexcept { return parts_.pattern.has_value() || !parts_.samples.empty(); }
  /// What a run allocates, block by block; nothing if only the formula is known.
  [[nodiscard]] const std::optional<AllocationPattern>& pattern() const noexcept { return parts_.pattern; }
  [[nodiscard]] double margin() const noexcept { return parts_.pattern ? pattern_margin : formula_margin; }

  /// Peak engine bytes as they are expected, and no more. Precondition: known(), and so for all below.
  [[nodiscard]] std::uint64_t expect_peak(Extent input, int batch = 1) const;
  /// The same with the margin, for plans. By the formula never below the largest measured run that fits inside.
  [[nodiscard]] std::uint64_t predict(Extent input, int batch = 1) const;

  /// A run has ended, and this was its peak. True if something was learnt from it: others should be told. One that
  /// needed more than was expected raises what is expected of all; the formula is fitted anew.
  bool observe(Extent input, int batch, std::uint64_t peak_bytes);

  /// The engine ran out of memory on this input, under this cap (0: whatever the cap is): it and all that are at least
  /// as large in each way are not to be tried again. True if that was not known.
  bool forbid(Extent input, int batch = 1, std::uint64_t cap_bytes = 0);
  /// Under this cap (0: whatever it is): what ran out of memory under a smaller one may fit.
  [[nodiscard]] bool allows(Extent input, int batch = 1, std::uint64_t cap_bytes = 0) const;

  /// What others have learnt, or this one earlier. True if it was news.
  bool learn_from(const Footprint& other);

  /// An input that ran out of memory.
  struct Bound {
    Extent input;
    std::int32_t batch = 1;
    std::uint64_t cap_bytes = 0;
    bool operator==(const Bound&) const = default;
  };
  /// All that it has learnt, for who writes it down and reads it back.
  struct Parts {
    std::optional<AllocationPattern> pattern;
    std::vector<FootprintSample> samples;  ///< the formula's probes, and runs that taught something: few
    std::vector<Bound> bounds;             ///< none makes another one superfluous
    double raise = 1;                      ///< the most that a run needed of what the pattern had told
    bool operator==(const Parts&) const = default;
  };
  explicit Footprint(Parts parts);
  [[nodiscard]] const Parts& parts() const noexcept { return parts_; }

  /// d (bytes), b (bytes per pixel), c (bytes per pixel of height + width) of the formula; for the log and the tests.
  [[nodiscard]] const std::array<double, 3>& coefficients() const noexcept { return coefficients_; }

  bool operator==(const Footprint&) const = default;

  static constexpr std::size_t most_samples = 64;

 private:
  template <class Archive>
  friend void fields(Archive& archive, Footprint& footprint) {
    archive(footprint.parts_);
    for (double& coefficient : footprint.coefficients_) {
      archive(coefficient);
    }
  }

  void fit();

  Parts parts_;
  std::array<double, 3> coefficients_{};
};

template <class Archive>
void fields(Archive& archive, FootprintSample& sample) {
  archive(sample.input, sample.peak_bytes, sample.batch);
}
template <class Archive>
void fields(Archive& archive, Footprint::Bound& bound) {
  archive(bound.input, bound.batch, bound.cap_bytes);
}
template <class Archive>
void fields(Archive& archive, Footprint::Parts& parts) {
  archive(parts.pattern, parts.samples, parts.bounds, parts.raise);
}

}  // namespace pantile
