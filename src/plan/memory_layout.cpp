#include "plan/memory_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/byte_size.hpp"
#include "image/block_grid.hpp"

namespace pantile {
namespace {

/// Of most images: three channels of a byte.
constexpr std::uint64_t usual_pixel_bytes = 3;
/// Tile rows of this height are decoded at once in the leanest layout: input pixels, halo included.
constexpr int least_rows = 256;
/// Images of more pixels are decoded in parts whatever room there is.
constexpr std::int64_t most_whole_px = 64'000'000;

/// What must find room beside the tiles.
struct Needs {
  std::uint64_t block = 0;           ///< the largest block
  std::uint64_t least_decoded = 0;   ///< below this nothing can be computed
  std::uint64_t useful_decoded = 0;  ///< beyond this more is of no use
};

int input_rows_of_block(const TileGeometry& geometry) {
  return (block_side_px + geometry.scale - 1) / geometry.scale + geometry.halo.vertical() + 2 * geometry.alignment_px;
}
int input_columns_of_block(const TileGeometry& geometry) {
  return (block_side_px + geometry.scale - 1) / geometry.scale + geometry.halo.horizontal() + 2 * geometry.alignment_px;
}

std::uint64_t image_bytes(std::int64_t height, std::int64_t width) {
  return static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) * usual_pixel_bytes;
}

Needs needs_of(const TileRequest& request) {
  const TileGeometry& geometry = request.facts.geometry;
  Needs needs;
  for (const ExtentCount& item : request.items) {
    const Extent output = output_extent(geometry, request.border, item.extent);
    const Extent block{std::min(output.height, block_side_px), std::min(output.width, block_side_px)};
    needs.block = std::max(needs.block, static_cast<std::uint64_t>(std::max<std::int64_t>(0, block.area())) *
                                            static_cast<std::uint64_t>(request.facts.output_channels));
    // One is read, or decoded, while the one before it is computed.
    const std::uint64_t whole = 2 * image_bytes(item.extent.height, item.extent.width);
    const bool is_whole = geometry.whole_only || item.extent.area() <= most_whole_px;
    const auto part = [&](int rows, int columns) {
      return 5 * (image_bytes(std::min(rows, item.extent.height), std::min(columns, item.extent.width)) / 2 + 1);
    };
    needs.useful_decoded =
        std::max(needs.useful_decoded, is_whole ? whole : part(input_rows_of_block(geometry), item.extent.width));
    needs.least_decoded =
        std::max(needs.least_decoded, geometry.whole_only ? 0 : part(least_rows, input_columns_of_block(geometry)));
  }
  needs.block = (needs.block + 4095) / 4096 * 4096;
  needs.least_decoded = std::max(needs.least_decoded, MiB);
  needs.useful_decoded = std::clamp(needs.useful_decoded, std::max(4 * MiB, needs.least_decoded), GiB);
  return needs;
}

/// What the parts beside the tiles get.
struct Shares {
  std::uint64_t arena = 0;
  std::uint64_t shard = 0;
  std::uint64_t decoded = 0;
  [[nodiscard]] std::uint64_t sum() const noexcept { return arena + shard + decoded; }
};

/// The roomiest first.
std::array<Shares, 3> levels(const Needs& needs, std::uint64_t cap) {
  const std::uint64_t share = cap / 8;
  return {Shares{.arena = std::max(needs.block, std::clamp(share, 16 * MiB, 256 * MiB)),
                 .shard = 4 * MiB,
                 .decoded = std::min(needs.useful_decoded, std::clamp(share, 4 * MiB, 256 * MiB))},
          Shares{.arena = 2 * needs.block, .shard = 2 * MiB, .decoded = 2 * needs.least_decoded},
          Shares{.arena = needs.block, .shard = 2 * MiB, .decoded = needs.least_decoded}};
}

TileDecision plan_in(const TilePlanner& planner, std::uint64_t room_bytes, const Shares& shares) {
  return planner.plan(room_bytes - std::min(room_bytes, shares.sum()));
}

/// Of the smallest tile that lanes fall back to, on one lane: they are evened out, to less than twice what the model
/// needs a side.
std::uint64_t least_tile_bytes(const TileRequest& request, const TilePlan& plan) {
  const TileGeometry& geometry = request.facts.geometry;
  if (geometry.whole_only) {
    return plan.predicted_bytes / static_cast<std::uint64_t>(plan.lanes);
  }
  const int side = 2 * rounded_up(std::max(1, geometry.min_tile_px), geometry.alignment_px);
  const Extent input{side + geometry.halo.vertical() + 2 * geometry.alignment_px,
                     side + geometry.halo.horizontal() + 2 * geometry.alignment_px};
  const auto floats =
      static_cast<std::uint64_t>(input.area()) * static_cast<std::uint64_t>(request.facts.input_channels) +
      static_cast<std::uint64_t>((input * geometry.scale).area()) *
          static_cast<std::uint64_t>(request.facts.output_channels);
  return request.footprint.predict(input) + floats * sizeof(float);
}

/// What is left goes to decoded pixels as far as they can use it, up to a quarter of the cap: pixels stay when the cap
/// is halved.
MemoryLayout laid_out(const MemoryRequest& request, const Needs& needs, const Shares& shares, TilePlan plan) {
  MemoryLayout layout{.tiles = std::move(plan),
                      .arena_bytes = shares.arena,
                      .shard_bytes = shares.shard,
                      .decoded_bytes = shares.decoded,
                      .engine_bytes = request.room_bytes - shares.arena - shares.shard,
                      .least_tile_bytes = 0};
  layout.least_tile_bytes = least_tile_bytes(request.tiles, layout.tiles);
  const std::uint64_t left = std::min(layout.engine_bytes - layout.tiles.predicted_bytes, request.cap_bytes / 4);
  layout.decoded_bytes = std::max(shares.decoded, std::min(needs.useful_decoded, left));
  return layout;
}

}  // namespace

LayoutDecision lay_out_memory(const MemoryRequest& request) {
  /// Tiles may cost so much more for the comfort of the other parts.
  constexpr double tolerance = 1.1;
  const Needs needs = needs_of(request.tiles);
  const std::array<Shares, 3> all = levels(needs, request.cap_bytes);
  const TilePlanner planner{request.tiles};
  const TileDecision leanest = plan_in(planner, request.room_bytes, all.back());
  const auto* const least = std::get_if<TilePlan>(&leanest);
  if (least != nullptr && request.room_bytes < all.back().sum()) {
    return LayoutDoesNotFit{all.back().sum(),
                            fmt::format("blocks and pixels need {} beside the tiles, and {} are left",
                                        format_byte_size(all.back().sum()), format_byte_size(request.room_bytes))};
  }
  if (least == nullptr) {
    const auto& refusal = std::get<TileDoesNotFit>(leanest);
    const std::uint64_t tiles = refusal.smallest_budget_bytes;
    const bool helps = tiles != std::numeric_limits<std::uint64_t>::max();
    return LayoutDoesNotFit{helps ? tiles + all.back().sum() : tiles, refusal.why};
  }
  for (const Shares& shares : all) {
    const TileDecision decision = plan_in(planner, request.room_bytes, shares);
    const auto* const plan = std::get_if<TilePlan>(&decision);
    if (plan != nullptr && request.room_bytes >= shares.sum() && plan->lanes >= least->lanes &&
        plan->predicted_macs <= tolerance * least->predicted_macs &&
        plan->predicted_macs >= least->predicted_macs / tolerance) {  // else images that must go whole are left out
      return laid_out(request, needs, shares, *plan);
    }
  }
  return laid_out(request, needs, all.back(), *least);
}

std::uint32_t strip_columns(const TileGeometry& geometry, Border border, Extent item, int pixel_bytes,
                            std::uint64_t decoded_bytes) {
  const Extent output = output_extent(geometry, border, item);
  const int columns = (output.width + block_side_px - 1) / block_side_px;
  const std::uint64_t rows = static_cast<std::uint64_t>(std::min(item.height, input_rows_of_block(geometry)));
  const auto bytes = [&](std::uint64_t width) { return rows * width * static_cast<std::uint64_t>(pixel_bytes); };
  if (bytes(static_cast<std::uint64_t>(item.width)) <= decoded_part_bytes(decoded_bytes)) {
    return 0;
  }
  const std::uint64_t fit =
      decoded_part_bytes(decoded_bytes) / bytes(static_cast<std::uint64_t>(input_columns_of_block(geometry)));
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fit, 1, static_cast<std::uint64_t>(columns)));
}

}  // namespace pantile
