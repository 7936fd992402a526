#include "plan/footprint.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"

namespace pantile {

namespace {

using Row = std::array<double, 4>;  ///< three coefficients and the right-hand side

[[nodiscard]] bool contains(Extent outer, Extent inner) {
  return outer.height >= inner.height && outer.width >= inner.width;
}

/// 1, h·w and h + w, the latter two scaled to a tile of 128 px, so that the normal equations are well conditioned.
constexpr double scale_px = 128;
[[nodiscard]] std::array<double, 3> terms(Extent input) {
  return {1, static_cast<double>(input.area()) / (scale_px * scale_px),
          (static_cast<double>(input.height) + input.width) / (2 * scale_px)};
}

/// Gauss with partial pivoting. Precondition: the rows are independent.
[[nodiscard]] std::array<double, 3> solve(std::array<Row, 3> rows) {
  for (std::size_t column = 0; column < 3; ++column) {
    const auto larger = [&](const Row& a, const Row& b) { return std::abs(a[column]) < std::abs(b[column]); };
    std::swap(rows[column], *std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(column), rows.end(), larger));
    expect(std::abs(rows[column][column]) > 1e-12, "the probes of the footprint tell its coefficients apart");
    for (std::size_t row = 0; row < 3; ++row) {
      const double factor = row == column ? 0 : rows[row][column] / rows[column][column];
      for (std::size_t i = column; i < 4; ++i) {
        rows[row][i] -= factor * rows[column][i];
      }
    }
  }
  return {rows[0][3] / rows[0][0], rows[1][3] / rows[1][1], rows[2][3] / rows[2][2]};
}

}  // namespace

Footprint::Footprint(std::span<const FootprintSample> samples) : samples_{samples.begin(), samples.end()} {
  expect(samples.size() >= 3, "a footprint is fitted from three probes or more");
  std::array<Row, 3> normal{};
  for (const auto& sample : samples) {
    expect(!sample.input.empty() && sample.peak_bytes > 0, "a probe has pixels, and needs memory");
    // Divided by the peak: an error of 1 % weighs the same for a small probe and a large one.
    const double weight = 1.0 / static_cast<double>(sample.peak_bytes);
    const auto term = terms(sample.input);
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t i = 0; i < 3; ++i) {
        normal[row][i] += term[row] * term[i] * weight * weight;
      }
      normal[row][3] += term[row] * weight;
    }
  }
  // Each row is divided by its diagonal, so that "independent" means the same for kilobytes and gigabytes.
  for (std::size_t row = 0; row < 3; ++row) {
    const double diagonal = normal[row][row];
    std::for_each(normal[row].begin(), normal[row].end(), [&](double& value) { value /= diagonal; });
  }
  const auto [d, b, c] = solve(normal);
  coefficients_ = {d, b / (scale_px * scale_px), c / (2 * scale_px)};
}

std::uint64_t Footprint::predict(Extent input) const {
  const auto [d, b, c] = coefficients_;
  double peak = d + b * static_cast<double>(input.area()) + c * (static_cast<double>(input.height) + input.width);
  for (const auto& sample : samples_) {
    if (contains(input, sample.input)) {
      peak = std::max(peak, static_cast<double>(sample.peak_bytes));
    }
  }
  return static_cast<std::uint64_t>(std::ceil(std::max(0.0, peak) * margin));
}

void Footprint::forbid(Extent input) {
  if (!allows(input)) {
    return;
  }
  std::erase_if(forbidden_, [&](Extent larger) { return contains(larger, input); });
  forbidden_.push_back(input);
}

bool Footprint::allows(Extent input) const {
  return std::none_of(forbidden_.begin(), forbidden_.end(), [&](Extent failed) { return contains(input, failed); });
}

}  // namespace pantile
