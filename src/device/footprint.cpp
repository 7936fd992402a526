#include "device/footprint.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "device/placement.hpp"

namespace pantile {

namespace {

using Row = std::array<double, 4>;  ///< three coefficients and the right-hand side

[[nodiscard]] bool contains(Extent outer, int outer_batch, Extent inner, int inner_batch) {
  return outer.height >= inner.height && outer.width >= inner.width && outer_batch >= inner_batch;
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

/// Whether a bound makes another superfluous.
[[nodiscard]] bool says_all_of(const Footprint::Bound& bound, const Footprint::Bound& other) {
  return contains(other.input, other.batch, bound.input, bound.batch) &&
         (bound.cap_bytes == 0 || (other.cap_bytes != 0 && bound.cap_bytes >= other.cap_bytes));
}

}  // namespace

Footprint::Footprint(std::span<const FootprintSample> samples)
    : Footprint{Parts{.pattern = {}, .samples = {samples.begin(), samples.end()}, .bounds = {}}} {}

Footprint::Footprint(Parts parts) : parts_{std::move(parts)} {
  if (!parts_.pattern) {
    fit();
  }
}

void Footprint::fit() {
  expect(parts_.samples.size() >= 3, "a footprint is fitted from three probes or more");
  std::array<Row, 3> normal{};
  for (const auto& sample : parts_.samples) {
    expect(!sample.input.empty() && sample.batch > 0 && sample.peak_bytes > 0, "a probe has pixels, and needs memory");
    // Divided by the peak: an error of 1 % weighs the same for a small probe and a large one.
    const double weight = sample.batch / static_cast<double>(sample.peak_bytes);
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

std::uint64_t Footprint::expect_peak(Extent input, int batch) const {
  expect(known(), "a footprint is learnt before it is asked");
  if (parts_.pattern) {
    const auto peak = static_cast<double>(plan_run(parts_.pattern->blocks(input, batch)).peak_bytes);
    return static_cast<std::uint64_t>(std::ceil(peak * parts_.raise));
  }
  const auto [d, b, c] = coefficients_;
  double peak =
      batch * (d + b * static_cast<double>(input.area()) + c * (static_cast<double>(input.height) + input.width));
  for (const auto& sample : parts_.samples) {
    if (contains(input, batch, sample.input, sample.batch)) {
      peak = std::max(peak, static_cast<double>(sample.peak_bytes));
    }
  }
  return static_cast<std::uint64_t>(std::ceil(std::max(0.0, peak)));
}

std::uint64_t Footprint::predict(Extent input, int batch) const {
  return static_cast<std::uint64_t>(std::ceil(static_cast<double>(expect_peak(input, batch)) * margin()));
}

bool Footprint::observe(Extent input, int batch, std::uint64_t peak_bytes) {
  const FootprintSample seen{.input = input, .peak_bytes = peak_bytes, .batch = batch};
  const bool is_more = peak_bytes > expect_peak(input, batch);
  const auto same = std::find_if(parts_.samples.begin(), parts_.samples.end(), [&](const FootprintSample& sample) {
    return sample.input == input && sample.batch == batch;
  });
  const bool is_new =
      same == parts_.samples.end() ? parts_.samples.size() < most_samples : peak_bytes > same->peak_bytes;
  if (parts_.pattern ? !is_more : !is_more && !is_new) {
    return false;
  }
  if (same != parts_.samples.end()) {
    same->peak_bytes = std::max(same->peak_bytes, peak_bytes);
  } else if (parts_.samples.size() < most_samples) {
    parts_.samples.push_back(seen);
  } else {
    parts_.samples.back() = seen;  // The probes are at the front, and tell the coefficients apart.
  }
  if (parts_.pattern) {
    const auto told = static_cast<double>(plan_run(parts_.pattern->blocks(input, batch)).peak_bytes);
    parts_.raise = std::max(parts_.raise, static_cast<double>(peak_bytes) / std::max(1.0, told));
  } else {
    fit();
  }
  return true;
}

bool Footprint::forbid(Extent input, int batch, std::uint64_t cap_bytes) {
  const Bound bound{.input = input, .batch = batch, .cap_bytes = cap_bytes};
  if (std::any_of(parts_.bounds.begin(), parts_.bounds.end(),
                  [&](const Bound& known) { return says_all_of(known, bound); })) {
    return false;
  }
  std::erase_if(parts_.bounds, [&](const Bound& known) { return says_all_of(bound, known); });
  parts_.bounds.push_back(bound);
  return true;
}

bool Footprint::allows(Extent input, int batch, std::uint64_t cap_bytes) const {
  return std::none_of(parts_.bounds.begin(), parts_.bounds.end(), [&](const Bound& failed) {
    const bool is_of_less = cap_bytes != 0 && failed.cap_bytes != 0 && failed.cap_bytes < cap_bytes;
    return !is_of_less && contains(input, batch, failed.input, failed.batch);
  });
}

bool Footprint::learn_from(const Footprint& other) {
  bool is_news = false;
  for (const FootprintSample& sample : other.parts_.samples) {
    is_news |= observe(sample.input, sample.batch, sample.peak_bytes);
  }
  for (const Bound& bound : other.parts_.bounds) {
    is_news |= forbid(bound.input, bound.batch, bound.cap_bytes);
  }
  return is_news;
}

}  // namespace pantile
