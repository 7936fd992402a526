#include "run/block_feeder.hpp"

#include <algorithm>

#include "base/steady.hpp"
#include "image/block_grid.hpp"
#include "image/pixels.hpp"

namespace pantile {
namespace {

TileGrid grid_of(const RunBlock& run, const ModelStage& stage, Rect rect) {
  return {run.header.extent, stage.geometry(), stage.border(), rect, run.tile};
}

/// All that some tiles of a block look at, as one rectangle of the item.
Rect needed_of(const RunBlock& run, const ModelStage& stage, const TileGrid& grid, TileRange tiles) {
  const Border border = gather_border(stage.geometry(), stage.border());
  Rect all = needed_part(run.header.extent, grid.source(tiles.begin), border);
  for (std::size_t tile = tiles.begin + 1; tile < tiles.end; ++tile) {
    const Rect one = needed_part(run.header.extent, grid.source(tile), border);
    const int y = std::min(all.y, one.y);
    const int x = std::min(all.x, one.x);
    all = {y, x, std::max(all.bottom(), one.bottom()) - y, std::max(all.right(), one.right()) - x};
  }
  return all;
}

/// The same rows with what the block's neighbours in its strip look at: from the first column that the first one needs
/// to the last one of the last.
Rect strip_of(const RunBlock& run, const ModelStage& stage, Rect needed) {
  if (run.strip == 0) {
    return {needed.y, 0, needed.height, run.header.extent.width};
  }
  const Extent output = output_extent(stage.geometry(), stage.border(), run.header.extent);
  const int strip_px = static_cast<int>(run.strip) * block_side_px;
  const auto columns_of = [&](int x) {
    const Rect rect{run.rect.y, x, run.rect.height, std::min(block_side_px, output.width - x)};
    const TileGrid grid = grid_of(run, stage, rect);
    return needed_of(run, stage, grid, {0, grid.size()});
  };
  const int first_x = run.rect.x / strip_px * strip_px;
  const int last_x = (std::min(first_x + strip_px, output.width) - 1) / block_side_px * block_side_px;
  const int x = columns_of(first_x).x;
  return {needed.y, x, needed.height, columns_of(last_x).right() - x};
}

/// How many rows of tiles to decode at once.
std::size_t tile_rows(const ItemDecoder& decoder, const TileGrid& grid, int width) {
  const int rows = decoder.rows_at_once(width) - grid.largest_source().height;
  return static_cast<std::size_t>(std::max(0, rows / grid.tile().height)) + 1;
}

}  // namespace

void feed_block(const RunBlock& run, ItemDecoder& decoder, const ModelStage& stage, Lanes& lanes,
                std::span<std::uint8_t> pixels, const FeedWatch& watch) {
  const TileGrid grid = grid_of(run, stage, run.rect);
  const Lanes::Block block = lanes.open(
      {.ticket = run.ticket, .grid = grid, .rect = run.rect, .pixels = pixels, .key = run.key, .made = run.made});
  decoder.set_room(watch.room());
  decoder.begin(run);
  const Rect all = needed_of(run, stage, grid, {0, grid.size()});
  const Rect strip = strip_of(run, stage, all);
  const bool at_once = decoder.rows_at_once(strip.width) >= all.height;
  for (TileRange tiles{0, 0}; tiles.end < grid.size();) {
    decoder.set_room(watch.room());  // It may be less than it was for the part before.
    const std::size_t step = at_once ? grid.size() : tile_rows(decoder, grid, all.width) * grid.columns();
    tiles = {tiles.end, std::min(grid.size(), tiles.end + step)};
    if (watch.is_off(run.ticket)) {
      lanes.give_up(block, {Fault::none, "cancelled"});
      return;
    }
    const Rect needed = needed_of(run, stage, grid, tiles);
    const std::int64_t begin_us = steady_us();
    const ItemDecoder::Decoded decoded =
        decoder.decode(run, needed, at_once ? Rect{needed.y, strip.x, needed.height, strip.width} : needed);
    if (decoder.has_read()) {
      watch.has_decoded({run.key.item, begin_us, steady_us()});
    }
    if (!decoded) {
      lanes.give_up(block, decoded.failure());
      return;
    }
    lanes.feed(block, decoded.value(), tiles, watch.is_crowded());
  }
  if (watch.is_off(run.ticket)) {
    lanes.cancel(run.ticket);  // It was while it was fed.
  }
}

}  // namespace pantile
