#include "plan/memory_layout.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <vector>

#include "base/byte_size.hpp"
#include "image/block_grid.hpp"

namespace pantile {
namespace {

/// A light model of 3 → 3 channels that sees one pixel around.
ModelFacts facts(int scale = 1) {
  ModelFacts facts;
  facts.input_channels = 3;
  facts.output_channels = 3;
  facts.local = true;
  facts.geometry = {.scale = scale, .halo = {1, 1, 1, 1}, .padding = Padding::same, .min_tile_px = 32};
  facts.layers = {LayerCost{.macs_per_px = 5000, .numerator = scale, .denominator = 1, .shrink = {}}};
  return facts;
}

Footprint footprint() {
  // 400 bytes a pixel.
  const std::array<FootprintSample, 3> samples{
      {{{64, 64}, 64 * 64 * 400}, {{128, 128}, 128 * 128 * 400}, {{64, 256}, 64 * 256 * 400}}};
  return Footprint{samples};
}

MemoryLayout laid_out(const MemoryRequest& request) {
  const LayoutDecision decision = lay_out_memory(request);
  EXPECT_TRUE(std::holds_alternative<MemoryLayout>(decision)) << std::get<LayoutDoesNotFit>(decision).why;
  return std::get<MemoryLayout>(decision);
}

TEST(MemoryLayout, NeverPlansMoreThanItsRoom) {
  const Footprint bytes = footprint();
  std::mt19937 dice{3};
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    const ModelFacts model = facts(1 + static_cast<int>(dice() % 3));
    std::vector<ExtentCount> items;
    for (std::uint32_t i = 0; i <= dice() % 4; ++i) {
      items.push_back(
          {Extent{static_cast<int>(40 + dice() % 9000), static_cast<int>(40 + dice() % 9000)}, 1 + dice() % 9});
    }
    const std::uint64_t cap = (40 + dice() % (round % 3 == 0 ? 15 : 1500)) * MiB;
    const MemoryRequest request{
        .tiles = {.facts = model, .footprint = bytes, .items = items, .lanes = 1 + static_cast<int>(dice() % 4)},
        .cap_bytes = cap,
        .room_bytes = cap - 36 * MiB};
    const LayoutDecision decision = lay_out_memory(request);
    if (const auto* const refusal = std::get_if<LayoutDoesNotFit>(&decision)) {
      ++refused;
      MemoryRequest enough = request;
      enough.room_bytes = refusal->least_room_bytes;
      EXPECT_GT(enough.room_bytes, request.room_bytes);
      EXPECT_TRUE(std::holds_alternative<MemoryLayout>(lay_out_memory(enough))) << "what it names would do";
      enough.room_bytes -= 4096;
      EXPECT_TRUE(std::holds_alternative<LayoutDoesNotFit>(lay_out_memory(enough))) << "and it is the least";
      continue;
    }
    const auto& layout = std::get<MemoryLayout>(decision);
    EXPECT_LE(layout.predicted_bytes(), request.room_bytes);
    EXPECT_EQ(layout.arena_bytes + layout.shard_bytes + layout.engine_bytes, request.room_bytes);
    for (const ExtentCount& item : items) {
      const Extent output = item.extent * model.geometry.scale;
      EXPECT_GE(layout.arena_bytes, static_cast<std::uint64_t>(std::min(output.height, block_side_px)) *
                                        static_cast<std::uint64_t>(std::min(output.width, block_side_px)) * 3);
    }
  }
  EXPECT_GT(refused, 3);
  EXPECT_LT(refused, 200);
}

TEST(MemoryLayout, IsRoomyWhereItCanAndLeanBeforeTilesSuffer) {
  const Footprint bytes = footprint();
  const ModelFacts model = facts();
  const std::array<ExtentCount, 1> items{{{{8192, 8192}, 1}}};
  MemoryRequest request{.tiles = {.facts = model, .footprint = bytes, .items = items, .lanes = 2},
                        .cap_bytes = GiB,
                        .room_bytes = GiB - 36 * MiB};
  const MemoryLayout roomy = laid_out(request);
  EXPECT_EQ(roomy.arena_bytes, 128 * MiB);
  EXPECT_GE(roomy.decoded_bytes, 2 * 2048 * 8192 * 3) << "rows of a block in full width, twice: all passes are one";
  EXPECT_EQ(strip_columns(model.geometry, Border::replicate, {8192, 8192}, 3, roomy.decoded_bytes), 0U);
  request.cap_bytes = 64 * MiB;
  request.room_bytes = 28 * MiB;
  const MemoryLayout lean = laid_out(request);
  EXPECT_EQ(lean.arena_bytes, 12 * MiB) << "one block";
  EXPECT_EQ(lean.tiles.lanes, 2);
  EXPECT_LE(lean.tiles.predicted_macs, 1.15 * roomy.tiles.predicted_macs);
  EXPECT_GE(lean.least_tile_bytes, bytes.predict({66, 66})) << "small tiles are evened out to less than 64 px";
  EXPECT_EQ(strip_columns(model.geometry, Border::replicate, {8192, 8192}, 3, lean.decoded_bytes), 1U);
}

TEST(MemoryLayout, AModelThatSeesWholeImagesIsNotKeptFromSmallOnesByALargeOne) {
  const Footprint bytes = footprint();
  ModelFacts model = facts();
  model.geometry.whole_only = true;
  const std::array<ExtentCount, 2> items{{{{200, 200}, 50}, {{9000, 9000}, 1}}};
  const MemoryLayout layout = laid_out({.tiles = {.facts = model, .footprint = bytes, .items = items, .lanes = 1},
                                        .cap_bytes = 128 * MiB,
                                        .room_bytes = 90 * MiB});
  EXPECT_EQ(layout.tiles.core, (Extent{200, 200}));
}

TEST(MemoryLayout, StripsGrowWithTheRoomUntilTheyAreAll) {
  const TileGeometry geometry = facts().geometry;
  const Extent item{20'000, 20'000};  // ten columns
  std::uint32_t before = 1;
  for (std::uint64_t room = MiB; room <= 512 * MiB; room += MiB) {
    const std::uint32_t columns = strip_columns(geometry, Border::replicate, item, 3, room);
    if (columns == 0) {
      EXPECT_GE(room, 2 * std::uint64_t{2048} * 20'000 * 3);
      before = 99;
      continue;
    }
    EXPECT_LE(columns, 10U);
    EXPECT_GE(columns, before) << room;
    before = columns;
    if (columns > 1) {
      EXPECT_LE(2 * std::uint64_t{2048} * columns * 2048 * 3, room);
    }
  }
  EXPECT_EQ(before, 99U);
}

}  // namespace
}  // namespace pantile
