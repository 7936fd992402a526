#include "plan/tile_planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "image/block_grid.hpp"
#include "image/tile_grid.hpp"

namespace pantile {

namespace {

constexpr int candidates_px[] = {32, 48, 64, 96, 128, 192, 256, 384, 512};
/// Larger images are not worth their memory whole: a tile of 512 px is already within 2 % of the least work.
constexpr std::int64_t max_whole_px = 2'000'000;
/// What a tile costs besides its layers: a run of the engine starts, buffers change hands. About 30 µs at 50 GMAC/s.
constexpr double tile_overhead_macs = 1.5e6;
/// Gather and scatter move about 300 MP/s; the same unit.
constexpr double gather_macs_per_px = 150;
/// A tile that leaves the cache computes more slowly. Measured with upconv7, one lane on a CPU: 0.086 useful MP/s with
/// 26 and 63 MiB a lane, 0.083 with 116, 0.082 with 270, although the larger tiles have less halo: 3.5 % a doubling
/// beyond this.
constexpr double cached_bytes = 64.0 * MiB;
constexpr double slowdown_per_doubling = 0.035;
/// Sizes whose predicted times differ by less are taken for equal: the model of time is no better than that.
constexpr double time_tolerance = 1.03;
constexpr std::uint64_t no_budget = std::numeric_limits<std::uint64_t>::max();

/// One size of core, judged for all items of the request.
struct Candidate {
  Extent core;
  bool is_whole = false;
  std::uint64_t lane_bytes = 0;  ///< of its most demanding tile; no_budget if the engine has run out of memory on it
  double tiles = 0;
  Extent tile{};  ///< core of the largest one, evened out
  double macs = 0;
  double time = 0;  ///< macs, made slower where tiles leave the cache
};

/// What one lane needs for a tile: the engine, and its input and output as floats.
std::uint64_t lane_bytes(const TileRequest& request, Extent input, Extent output) {
  if (!request.footprint.allows(input, 1, request.cap_bytes)) {
    return no_budget;
  }
  const auto& facts = request.facts;
  const auto in = static_cast<std::uint64_t>(input.area()) * static_cast<std::uint64_t>(facts.input_channels);
  const auto out = static_cast<std::uint64_t>(output.area()) * static_cast<std::uint64_t>(facts.output_channels);
  return request.footprint.predict(input) + (in + out) * sizeof(float);
}

double slowdown(std::uint64_t bytes) {
  return 1 + slowdown_per_doubling * std::max(0.0, std::log2(static_cast<double>(bytes) / cached_bytes));
}

/// Blocks along one axis that are cut alike: the first, those in the middle, the last.
struct BlockKind {
  int begin = 0;  ///< output pixels
  int length = 0;
  int count = 0;
};
std::vector<BlockKind> block_kinds(int side) {
  const int blocks = (side + block_side_px - 1) / block_side_px;
  std::vector<BlockKind> kinds{{.begin = 0, .length = std::min(side, block_side_px), .count = 1}};
  if (blocks > 2) {
    kinds.push_back({.begin = block_side_px, .length = block_side_px, .count = blocks - 2});
  }
  if (blocks > 1) {
    const int begin = (blocks - 1) * block_side_px;
    kinds.push_back({.begin = begin, .length = side - begin, .count = 1});
  }
  return kinds;
}

void add_tiles(Candidate& candidate, double tiles, std::uint64_t bytes, double macs_a_tile, Extent tile) {
  candidate.tiles += tiles;
  candidate.tile = {std::max(candidate.tile.height, tile.height), std::max(candidate.tile.width, tile.width)};
  candidate.lane_bytes = std::max(candidate.lane_bytes, bytes);
  candidate.macs += tiles * macs_a_tile;
  candidate.time += tiles * macs_a_tile * slowdown(bytes);
}

/// Adds the tiles of one item, block by block as the lanes cut them, to what is known of a candidate.
void add_item(Candidate& candidate, const TileRequest& request, const ExtentCount& item) {
  const auto& geometry = request.facts.geometry;
  const Extent output = output_extent(geometry, request.border, item.extent);
  if (output.empty()) {
    return;  // smaller than the halo: it will be refused, whatever the tile
  }
  for (const auto& rows : block_kinds(output.height)) {
    for (const auto& columns : block_kinds(output.width)) {
      const Rect block{rows.begin, columns.begin, rows.length, columns.length};
      const TileGrid grid{item.extent, geometry, request.border, block, candidate.core};
      const Extent input = grid.largest_source();
      const Extent lost =
          geometry.padding == Padding::same ? Extent{} : Extent{geometry.halo.vertical(), geometry.halo.horizontal()};
      const Extent produced = Extent{input.height - lost.height, input.width - lost.width} * geometry.scale;
      const double tiles =
          static_cast<double>(grid.size()) * rows.count * columns.count * static_cast<double>(item.count);
      add_tiles(candidate, tiles, lane_bytes(request, input, produced), run_macs(request.facts.layers, input),
                grid.tile());
    }
  }
}

Candidate judge(const TileRequest& request, Extent core, bool is_whole) {
  Candidate candidate{.core = core, .is_whole = is_whole};
  for (const auto& item : request.items) {
    add_item(candidate, request, item);
  }
  return candidate;
}

Extent largest_sides(std::span<const ExtentCount> items) {
  Extent largest;
  for (const auto& item : items) {
    largest = {std::max(largest.height, item.extent.height), std::max(largest.width, item.extent.width)};
  }
  return largest;
}

/// All that the setting allows, the largest first.
std::vector<Candidate> candidates(const TileRequest& request) {
  const Extent largest = largest_sides(request.items);
  const bool whole_only = request.facts.geometry.whole_only;
  const int unit = request.facts.geometry.alignment_px;
  const int smallest_px = rounded_up(request.facts.geometry.min_tile_px, unit);
  const bool is_small = std::all_of(request.items.begin(), request.items.end(),
                                    [](const ExtentCount& item) { return item.extent.area() <= max_whole_px; });
  const bool is_fixed = request.size.kind == TileSize::Kind::fixed;
  const bool wants_whole = request.size.kind == TileSize::Kind::whole;
  std::vector<int> sides;
  if (!whole_only) {
    const int limit_px = is_fixed ? std::max(request.size.px, smallest_px) : std::max(largest.height, largest.width);
    for (const int each : candidates_px) {
      const int side = rounded_up(each, unit);
      if (side >= smallest_px && side <= limit_px) {
        sides.push_back(side);
      }
    }
    if (is_fixed) {
      sides.push_back(limit_px);
    }
    if (sides.empty() || smallest_px > sides.front()) {
      sides.push_back(smallest_px);
    }
    std::sort(sides.begin(), sides.end(), std::greater<>{});
    sides.erase(std::unique(sides.begin(), sides.end()), sides.end());
  }
  std::vector<Candidate> all;
  if (wants_whole || whole_only || (is_small && !is_fixed)) {
    all.push_back(judge(request, largest, true));
  }
  for (const int side : sides) {
    all.push_back(judge(request, {std::min(side, largest.height), std::min(side, largest.width)}, false));
  }
  return all;
}

/// The size to take of those that fit; none if none does. `all` is not empty, the largest first.
std::optional<Candidate> best(const TileRequest& request, const std::vector<Candidate>& all, int lanes) {
  const std::uint64_t lane_budget = request.budget_bytes / static_cast<std::uint64_t>(lanes);
  std::vector<Candidate> fitting;
  std::copy_if(all.begin(), all.end(), std::back_inserter(fitting),
               [&](const Candidate& one) { return one.lane_bytes <= lane_budget && one.lane_bytes != no_budget; });
  if (fitting.empty()) {
    return std::nullopt;
  }
  if (request.size.kind != TileSize::Kind::automatic) {
    return fitting.front();  // the size that was asked for, else the next smaller
  }
  const auto quickest = std::min_element(fitting.begin(), fitting.end(),
                                         [](const Candidate& a, const Candidate& b) { return a.time < b.time; });
  const double limit = quickest->time * time_tolerance;
  std::erase_if(fitting, [&](const Candidate& one) { return one.time > limit; });
  return *std::min_element(fitting.begin(), fitting.end(),
                           [](const Candidate& a, const Candidate& b) { return a.lane_bytes < b.lane_bytes; });
}

/// The items that fit on one lane, of a model that must see them whole; all items of any other model.
std::vector<ExtentCount> fitting_whole(const TileRequest& request) {
  std::vector<ExtentCount> fitting;
  for (const ExtentCount& item : request.items) {
    Candidate alone;
    if (request.facts.geometry.whole_only) {
      alone.core = item.extent;
      add_item(alone, request, item);
    }
    if (alone.lane_bytes <= request.budget_bytes && alone.lane_bytes != no_budget) {
      fitting.push_back(item);
    }
  }
  return fitting;
}

std::string describe(const Candidate& one) {
  return one.is_whole ? fmt::format("whole images (up to {})", to_string(one.core))
                      : fmt::format("tiles of {} px", to_string(one.core));
}

std::string explain(const TileRequest& request, const Candidate& chosen, const Candidate& asked, int lanes) {
  std::string why = fmt::format("{}, {} lane{}: {} of {}", describe(chosen), lanes, lanes == 1 ? "" : "s",
                                format_byte_size(chosen.lane_bytes * static_cast<std::uint64_t>(lanes)),
                                format_byte_size(request.budget_bytes));
  if (request.size.kind == TileSize::Kind::automatic) {
    why += "; the least memory within 3 % of the least predicted time";
  } else if (chosen.core != asked.core) {
    why += fmt::format("; {} as asked do not fit", describe(asked));
  }
  if (request.size.kind == TileSize::Kind::fixed && request.size.px < request.facts.geometry.min_tile_px) {
    why += fmt::format("; below {} px the results of this model would differ", request.facts.geometry.min_tile_px);
  }
  if (lanes < request.lanes) {
    why += fmt::format("; no size fits {} lanes", request.lanes);
  }
  return why;
}

}  // namespace

double tile_macs(std::span<const LayerCost> layers, Extent input) {
  double macs = 0;
  for (const auto& layer : layers) {
    const double ratio = static_cast<double>(layer.numerator) / layer.denominator;
    const double height = std::max(0, input.height - layer.shrink.height) * ratio;
    const double width = std::max(0, input.width - layer.shrink.width) * ratio;
    macs += layer.macs_per_px * height * width;
  }
  return macs;
}

double run_macs(std::span<const LayerCost> layers, Extent input) {
  return tile_macs(layers, input) + tile_overhead_macs + gather_macs_per_px * static_cast<double>(input.area());
}

ItemCost item_cost(const TileRequest& request, Extent item, Extent core) {
  Candidate candidate{.core = core};
  add_item(candidate, request, {item, 1});
  return {.tile = candidate.tile,
          .tiles = static_cast<std::uint64_t>(candidate.tiles),
          .lane_bytes = candidate.lane_bytes,
          .macs = candidate.macs};
}

struct TilePlanner::Sizes {
  std::vector<Candidate> all;  ///< the largest first
};

TilePlanner::TilePlanner(const TileRequest& request) : request_{request} {
  expect(!request.items.empty() && request.lanes >= 1, "there are items to plan for, and lanes");
  expect(request.size.kind != TileSize::Kind::fixed || request.size.px >= 1, "a fixed tile has pixels");
  sizes_ = std::make_unique<const Sizes>(Sizes{candidates(request)});
}

TilePlanner::~TilePlanner() = default;

TileDecision TilePlanner::plan(std::uint64_t budget_bytes) const {
  TileRequest request{request_};
  request.budget_bytes = budget_bytes;
  const std::vector<ExtentCount> fitting = fitting_whole(request);
  if (!fitting.empty() && fitting.size() < request.items.size()) {
    TileRequest others{request};
    others.items = fitting;
    TileDecision decision = plan_tiles(others);
    if (auto* const plan = std::get_if<TilePlan>(&decision)) {
      plan->why += fmt::format("; {} of {} extents are too large to go through whole",
                               request.items.size() - fitting.size(), request.items.size());
    }
    return decision;
  }
  const std::vector<Candidate>& all = sizes_->all;
  for (int lanes = request.lanes; lanes >= 1; --lanes) {
    if (const auto chosen = best(request, all, lanes)) {
      return TilePlan{.core = chosen->core,
                      .lanes = lanes,
                      .predicted_bytes = chosen->lane_bytes * static_cast<std::uint64_t>(lanes),
                      .predicted_macs = chosen->macs,
                      .why = explain(request, *chosen, all.front(), lanes)};
    }
  }
  const auto least = std::min_element(
      all.begin(), all.end(), [](const Candidate& a, const Candidate& b) { return a.lane_bytes < b.lane_bytes; });
  if (least->lane_bytes == no_budget) {
    return TileDoesNotFit{no_budget, "the engine has run out of memory on every size that this model allows"};
  }
  return TileDoesNotFit{least->lane_bytes,
                        fmt::format("{} need {} on one lane, the budget is {}", describe(*least),
                                    format_byte_size(least->lane_bytes), format_byte_size(request.budget_bytes))};
}

TileDecision plan_tiles(const TileRequest& request) { return TilePlanner{request}.plan(request.budget_bytes); }

}  // namespace pantile
