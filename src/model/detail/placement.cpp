#include "model/detail/placement.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace pantile::detail {

namespace {

constexpr std::size_t unknowns = 4;
using Row = std::array<double, unknowns + 1>;

/// Gauss with partial pivoting; nothing if the rows depend on each other.
std::optional<std::array<double, unknowns>> solve(std::array<Row, unknowns> rows) {
  for (std::size_t column = 0; column < unknowns; ++column) {
    const auto pivot =
        std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(column), rows.end(),
                         [&](const Row& a, const Row& b) { return std::abs(a[column]) < std::abs(b[column]); });
    std::swap(rows[column], *pivot);
    if (std::abs(rows[column][column]) < 1e-9) {
      return std::nullopt;
    }
    for (std::size_t row = 0; row < unknowns; ++row) {
      const double factor = row == column ? 0 : rows[row][column] / rows[column][column];
      for (std::size_t at = column; at <= unknowns; ++at) {
        rows[row][at] -= factor * rows[column][at];
      }
    }
  }
  std::array<double, unknowns> solution{};
  for (std::size_t at = 0; at < unknowns; ++at) {
    // All of them are whole numbers of bytes in practice; rounding keeps large extents exact.
    const double value = rows[at][unknowns] / rows[at][at];
    solution[at] = std::abs(value - std::round(value)) < 1e-4 ? std::round(value) : value;
  }
  return solution;
}

bool overlap(const TracedBlock& a, const TracedBlock& b) { return a.born < b.died && b.born < a.died; }

}  // namespace

std::uint64_t AllocationPattern::Growth::bytes(Extent input) const {
  const double bytes =
      constant + per_px * static_cast<double>(input.area()) + per_row * input.height + per_column * input.width;
  return static_cast<std::uint64_t>(std::llround(std::max(0.0, bytes)));
}

std::optional<AllocationPattern::Growth> AllocationPattern::fit(std::span<const Trace> traces, std::size_t block) {
  std::array<Row, unknowns> rows{};
  for (std::size_t at = 0; at < unknowns; ++at) {
    const Extent input = traces[at].input;
    rows[at] = {1.0, static_cast<double>(input.area()), static_cast<double>(input.height),
                static_cast<double>(input.width), static_cast<double>(traces[at].blocks[block].bytes)};
  }
  const auto solution = solve(rows);
  if (!solution) {
    return std::nullopt;
  }
  const Growth growth{(*solution)[0], (*solution)[1], (*solution)[2], (*solution)[3]};
  const bool exact = std::all_of(traces.begin(), traces.end(), [&](const Trace& trace) {
    return growth.bytes(trace.input) == trace.blocks[block].bytes;
  });
  return exact ? std::optional{growth} : std::nullopt;
}

std::optional<AllocationPattern> AllocationPattern::learn(std::span<const Trace> traces) {
  if (traces.size() <= unknowns) {
    return std::nullopt;
  }
  AllocationPattern pattern;
  pattern.lifetimes_ = traces.front().blocks;
  const auto& first = pattern.lifetimes_;
  for (const Trace& trace : traces) {
    if (!std::equal(trace.blocks.begin(), trace.blocks.end(), first.begin(), first.end(),
                    [](const auto& a, const auto& b) { return a.born == b.born && a.died == b.died; })) {
      return std::nullopt;
    }
  }
  for (std::size_t block = 0; block < first.size(); ++block) {
    const auto growth = fit(traces, block);
    if (!growth) {
      return std::nullopt;
    }
    pattern.growth_.push_back(*growth);
  }
  return pattern;
}

std::vector<TracedBlock> AllocationPattern::blocks(Extent input) const {
  std::vector<TracedBlock> blocks = lifetimes_;
  for (std::size_t at = 0; at < blocks.size(); ++at) {
    blocks[at].bytes = growth_[at].bytes(input);
  }
  return blocks;
}

std::vector<std::uint64_t> place(std::span<const TracedBlock> blocks) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });

  std::vector<std::uint64_t> offsets(blocks.size(), 0);
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t block : order) {
    if (blocks[block].bytes == 0) {
      break;
    }
    std::uint64_t offset = 0;
    for (const std::size_t other : placed) {
      if (overlap(blocks[block], blocks[other])) {
        if (offset + blocks[block].bytes <= offsets[other]) {
          break;
        }
        offset = std::max(offset, offsets[other] + blocks[other].bytes);
      }
    }
    offsets[block] = offset;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), block, [&](auto a, auto b) { return offsets[a] < offsets[b]; }),
        block);
  }
  return offsets;
}

std::uint64_t live_peak(std::span<const TracedBlock> blocks) {
  std::uint64_t peak = 0;
  for (const TracedBlock& moment : blocks) {
    std::uint64_t live = 0;
    for (const TracedBlock& block : blocks) {
      live += block.born <= moment.born && moment.born < block.died ? block.bytes : 0;
    }
    peak = std::max(peak, live);
  }
  return peak;
}

}  // namespace pantile::detail
