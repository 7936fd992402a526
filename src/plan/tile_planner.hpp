#pragma once
// How large the tiles are, and how many lanes run them: the least predicted time that fits under the memory budget.
//
// Bigger is not better. In a valid-convolution model the layers shrink towards the output, so a small tile repeats
// little work and stays in cache; a same-padded model pays its whole halo with each tile. Both follow from the work of
// a tile, counted layer by layer, so that no model needs a rule of its own.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/extent.hpp"
#include "config/config.hpp"
#include "device/footprint.hpp"
#include "image/tile_geometry.hpp"
#include "model/facts.hpp"

namespace pantile {

/// Items of one input extent. A request is worked off at some microseconds an extent, so one entry for each is right.
struct ExtentCount {
  Extent extent;  ///< input pixels
  std::uint64_t count = 1;
};

struct TileRequest {
  const ModelFacts& facts;
  const Footprint& footprint;
  Border border = Border::replicate;
  std::span<const ExtentCount> items;
  /// What all lanes of the device may use together: engine memory of the tiles and their input and output floats.
  /// Weights, decoded images and shard buffers are not in it.
  std::uint64_t budget_bytes = 0;
  std::uint64_t cap_bytes = 0;  ///< of the device: what is known of smaller ones does not count; 0: it all counts
  int lanes = 1;                ///< wanted; at least 1
  TileSize size{};
};

struct TilePlan {
  /// Core input pixels of a tile, without halo, as TileGrid takes it: never larger than the largest sides of the items.
  Extent core;
  int lanes = 1;
  std::uint64_t predicted_bytes = 0;  ///< of all lanes together, the margin of the footprint included; ≤ budget
  double predicted_macs = 0;          ///< multiply-adds of all items, halos included
  std::string why{};                  ///< for the log and the report, in plain words
};

/// No tile fits, even on one lane.
struct TileDoesNotFit {
  std::uint64_t smallest_budget_bytes =
      0;  ///< the least budget for which there is a plan; UINT64_MAX if no budget helps
  std::string why{};
};

using TileDecision = std::variant<TilePlan, TileDoesNotFit>;

/// Chooses core and lanes. Pure. Precondition: items is not empty, no extent is empty, lanes ≥ 1, fixed px ≥ 1.
///
/// - Lanes come before tile size: fewer lanes only if no tile fits at that many.
/// - `automatic`: the least predicted time; of sizes within 3 % of it the one that needs least memory. Whole images
/// only
///   if they have ≤ 2 MP.
/// - `fixed` and `whole`: that size, else the next smaller candidate: the results are the same for every size.
/// - A model that is whole_only only ever sees whole images. Those that do not fit are left out of the plan: each of
///   them will fail by itself, and the others must not suffer for it.
/// - Tiles are multiples of the model's alignment.
/// - No tile is smaller than the model's min_tile_px, unless the image is.
/// - After an out-of-memory: `footprint.forbid()` the input extent, then plan again.
[[nodiscard]] TileDecision plan_tiles(const TileRequest& request);

/// The same for one budget after another: what tiles of each size cost is counted once.
class TilePlanner {
 public:
  /// Preconditions as of plan_tiles(). The request's budget is not looked at; what it refers to outlives this.
  explicit TilePlanner(const TileRequest& request);
  ~TilePlanner();
  TilePlanner(const TilePlanner&) = delete;
  TilePlanner& operator=(const TilePlanner&) = delete;
  [[nodiscard]] TileDecision plan(std::uint64_t budget_bytes) const;

 private:
  struct Sizes;
  TileRequest request_;
  std::unique_ptr<const Sizes> sizes_;
};

/// What one item costs when it is cut into tiles of this core.
struct ItemCost {
  Extent tile;  ///< core of its largest tile, evened out
  std::uint64_t tiles = 0;
  std::uint64_t lane_bytes = 0;  ///< of its most demanding tile, on one lane
  double macs = 0;               ///< multiply-adds, halos and the overhead of tiles included
};
[[nodiscard]] ItemCost item_cost(const TileRequest& request, Extent item, Extent core);

/// Multiply-adds of one run of the model on an input of this extent.
[[nodiscard]] double tile_macs(std::span<const LayerCost> layers, Extent input);
/// The same with what a tile costs besides its layers, as item_cost() counts it.
[[nodiscard]] double run_macs(std::span<const LayerCost> layers, Extent input);

}  // namespace pantile
