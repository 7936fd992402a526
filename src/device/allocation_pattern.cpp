#include "device/allocation_pattern.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace pantile {

namespace {

using Growth = AllocationPattern::Growth;
constexpr std::size_t most_terms = Growth::terms;
constexpr std::uint32_t all_terms = (1U << most_terms) - 1;
using Terms = std::array<double, most_terms>;

Terms terms_of(Extent input, int unit_px) {
  const double height = static_cast<double>(input.height) / unit_px;
  const double width = static_cast<double>(input.width) / unit_px;
  const double area = height * width;
  return {1, area, height, width, area * area};
}

std::uint64_t bytes_of(const Growth& growth, const Terms& terms, int batch) {
  double bytes = 0;
  for (std::size_t term = 0; term < most_terms; ++term) {
    bytes += growth.factors[term] * terms[term] * ((growth.with_batch >> term & 1U) != 0 ? batch : 1);
  }
  return static_cast<std::uint64_t>(std::llround(std::max(0.0, bytes)));
}

/// What was seen of one block.
struct Sighting {
  Terms terms{};
  int batch = 1;
  std::uint64_t bytes = 0;
};

/// Gauss with partial pivoting over the first `count` terms; nothing if the sightings do not tell them apart.
std::optional<Terms> solve(std::span<const Sighting> seen, std::size_t count) {
  std::vector<std::vector<double>> rows;
  for (const Sighting& one : seen.first(count)) {
    rows.emplace_back(one.terms.begin(), one.terms.begin() + static_cast<std::ptrdiff_t>(count));
    rows.back().push_back(static_cast<double>(one.bytes));
  }
  for (std::size_t column = 0; column < count; ++column) {
    const auto pivot =
        std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(column), rows.end(),
                         [&](const auto& a, const auto& b) { return std::abs(a[column]) < std::abs(b[column]); });
    std::swap(rows[column], *pivot);
    if (std::abs(rows[column][column]) < 1e-9) {
      return std::nullopt;
    }
    for (std::size_t row = 0; row < count; ++row) {
      const double factor = row == column ? 0 : rows[row][column] / rows[column][column];
      for (std::size_t at = column; at <= count; ++at) {
        rows[row][at] -= factor * rows[column][at];
      }
    }
  }
  Terms solution{};
  for (std::size_t at = 0; at < count; ++at) {
    // All of them are whole numbers of bytes in practice; rounding keeps large extents exact.
    const double value = rows[at][count] / rows[at][at];
    solution[at] = std::abs(value - std::round(value)) < 1e-4 ? std::round(value) : value;
  }
  return solution;
}

bool explains(const Growth& growth, std::span<const Sighting> seen) {
  return std::all_of(seen.begin(), seen.end(),
                     [&](const Sighting& one) { return bytes_of(growth, one.terms, one.batch) == one.bytes; });
}

/// Which terms grow with the batch: all, where that explains what was seen; else the first other choice that does.
std::optional<Growth> with_batches(Growth growth, std::span<const Sighting> batches) {
  for (std::uint32_t fixed = 0; fixed <= all_terms; ++fixed) {
    growth.with_batch = all_terms & ~fixed;
    if (explains(growth, batches)) {
      return growth;
    }
  }
  return std::nullopt;
}

/// The simplest growth that is exact on all that was seen of a block: singles of batch 1, batches of more.
std::optional<Growth> fit(std::span<const Sighting> singles, std::span<const Sighting> batches) {
  for (const std::size_t count : {most_terms - 1, most_terms}) {
    if (singles.size() <= count) {
      break;  // Nothing would be left to check it with.
    }
    const std::optional<Terms> factors = solve(singles, count);
    const Growth growth{factors.value_or(Terms{}), all_terms};
    if (factors && explains(growth, singles)) {
      return with_batches(growth, batches);
    }
  }
  return std::nullopt;
}

bool same_sequence(const Trace& a, const Trace& b) {
  return std::equal(
      a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end(),
      [](const auto& one, const auto& other) { return one.born == other.born && one.died == other.died; });
}

}  // namespace

std::optional<AllocationPattern> AllocationPattern::learn(std::span<const Trace> traces) {
  if (traces.empty() || !std::all_of(traces.begin(), traces.end(),
                                     [&](const Trace& trace) { return same_sequence(trace, traces.front()); })) {
    return std::nullopt;
  }
  int unit_px = 0;
  for (const Trace& trace : traces) {
    unit_px = std::gcd(unit_px, std::gcd(trace.input.height, trace.input.width));
  }
  AllocationPattern pattern{unit_px, {}};
  for (std::size_t block = 0; block < traces.front().blocks.size(); ++block) {
    std::vector<Sighting> singles;
    std::vector<Sighting> batches;
    for (const Trace& trace : traces) {
      (trace.batch == 1 ? singles : batches)
          .push_back({terms_of(trace.input, unit_px), trace.batch, trace.blocks[block].bytes});
    }
    const std::optional<Growth> growth = fit(singles, batches);
    if (!growth) {
      return std::nullopt;
    }
    const TracedBlock& first = traces.front().blocks[block];
    pattern.blocks_.push_back({*growth, first.born, first.died});
  }
  return pattern;
}

std::vector<TracedBlock> AllocationPattern::blocks(Extent input, int batch) const {
  const Terms terms = terms_of(input, unit_px_);
  std::vector<TracedBlock> blocks;
  blocks.reserve(blocks_.size());
  for (const Block& block : blocks_) {
    blocks.push_back({bytes_of(block.growth, terms, batch), block.born, block.died});
  }
  return blocks;
}

}  // namespace pantile
