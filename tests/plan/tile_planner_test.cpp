#include "plan/tile_planner.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/byte_size.hpp"
#include "image/block_grid.hpp"
#include "image/tile_grid.hpp"

namespace pantile {
namespace {

/// waifu2x upconv7: seven valid 3×3 layers, the last one a transposed convolution to twice the size.
ModelFacts upconv7() {
  ModelFacts facts;
  facts.input_channels = 3;
  facts.output_channels = 3;
  facts.local = true;
  facts.geometry = {.scale = 2, .halo = {7, 7, 7, 7}, .padding = Padding::valid, .min_tile_px = 16};
  const int channels[] = {3, 16, 32, 64, 128, 128, 256};
  for (int layer = 0; layer < 6; ++layer) {
    const int lost = 2 * (layer + 1);
    facts.layers.push_back({.macs_per_px = 9.0 * channels[layer] * channels[layer + 1], .shrink = {lost, lost}});
  }
  facts.layers.push_back({.macs_per_px = 256.0 * 3 * 16 / 4, .numerator = 2, .shrink = {14, 14}});
  return facts;
}

/// A denoiser of 17 same-padded 3×3 layers: the whole halo is computed with each tile.
ModelFacts dncnn() {
  ModelFacts facts;
  facts.input_channels = 1;
  facts.output_channels = 1;
  facts.local = true;
  facts.geometry = {.scale = 1, .halo = {17, 17, 17, 17}, .padding = Padding::same, .min_tile_px = 16};
  for (int layer = 0; layer < 17; ++layer) {
    facts.layers.push_back({.macs_per_px = 9.0 * 64 * 64, .shrink = {}});
  }
  return facts;
}

/// Peaks as measured for upconv7: about 2 kB a pixel.
Footprint heavy() {
  std::vector<FootprintSample> samples;
  for (const Extent input : {Extent{64, 64}, Extent{128, 128}, Extent{64, 256}}) {
    samples.push_back({input, 20'000 + 1800 * static_cast<std::uint64_t>(input.area())});
  }
  return Footprint{samples};
}

const std::vector<ExtentCount> pages{{{1401, 992}, 30}, {{1401, 1984}, 2}, {{6000, 800}, 1}, {{300, 200}, 1}};
constexpr std::uint64_t plenty = 64 * GiB;

TilePlan planned(const TileRequest& request) {
  const auto decision = plan_tiles(request);
  EXPECT_TRUE(std::holds_alternative<TilePlan>(decision)) << std::get<TileDoesNotFit>(decision).why;
  return std::get<TilePlan>(decision);
}

TEST(TilePlanner, WithMemoryToSpareValidModelsGetModestTilesAndSamePaddedOnesLarger) {
  const auto footprint = heavy();
  const auto valid_facts = upconv7();
  const auto valid =
      planned({.facts = valid_facts, .footprint = footprint, .items = pages, .budget_bytes = plenty, .lanes = 2});
  EXPECT_GE(valid.core.height, 128) << valid.why;
  EXPECT_LE(valid.core.height, 192) << valid.why;
  EXPECT_EQ(valid.lanes, 2);
  const auto same_facts = dncnn();
  const auto same =
      planned({.facts = same_facts, .footprint = footprint, .items = pages, .budget_bytes = plenty, .lanes = 2});
  EXPECT_GT(same.core.area(), valid.core.area()) << same.why;
}

TEST(TilePlanner, LanesComeBeforeTileSize) {
  const auto facts = upconv7();
  const auto footprint = heavy();
  TileRequest request{.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = plenty, .lanes = 4};
  request.budget_bytes = 60 * MiB;
  const auto four = planned(request);
  EXPECT_EQ(four.lanes, 4);
  EXPECT_LT(four.core.height,
            planned({.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = plenty}).core.height);
  request.budget_bytes = 10 * MiB;  // one tile of 32 px needs 4 MiB
  const auto two = planned(request);
  EXPECT_EQ(two.lanes, 2);
  EXPECT_NE(two.why.find("no size fits 4 lanes"), std::string::npos) << two.why;
}

TEST(TilePlanner, AFixedSizeIsTakenOrElseTheNextSmaller) {
  const auto facts = upconv7();
  const auto footprint = heavy();
  TileRequest request{.facts = facts,
                      .footprint = footprint,
                      .items = pages,
                      .budget_bytes = plenty,
                      .lanes = 2,
                      .size = {TileSize::Kind::fixed, 100}};
  EXPECT_EQ(planned(request).core, (Extent{100, 100}));
  request.budget_bytes = 50 * MiB;
  const auto smaller = planned(request);
  EXPECT_EQ(smaller.core, (Extent{96, 96}));
  EXPECT_NE(smaller.why.find("as asked do not fit"), std::string::npos) << smaller.why;
  request.size = {TileSize::Kind::fixed, 5};
  EXPECT_EQ(planned(request).core, (Extent{16, 16})) << "never below min_tile_px";
}

TEST(TilePlanner, WholeImagesOnlyWhenSmallOrAskedFor) {
  const auto facts = dncnn();
  const auto footprint = heavy();
  const std::vector<ExtentCount> small{{{700, 700}, 5}};
  TileRequest request{.facts = facts, .footprint = footprint, .items = small, .budget_bytes = plenty};
  EXPECT_EQ(planned(request).core, (Extent{700, 700}));
  request.items = pages;
  EXPECT_LE(planned(request).core.height, 512);
  request.size = {TileSize::Kind::whole, 0};
  EXPECT_EQ(planned(request).core, (Extent{6000, 1984}));
  request.budget_bytes = 100 * MiB;
  EXPECT_LT(planned(request).core.height, 512) << "tiles give the same result";
}

TEST(TilePlanner, AModelThatMustSeeWholeImagesIsNeverTiled) {
  auto facts = upconv7();
  facts.local = false;
  facts.geometry.whole_only = true;
  const auto footprint = heavy();
  TileRequest request{.facts = facts,
                      .footprint = footprint,
                      .items = pages,
                      .budget_bytes = plenty,
                      .size = {TileSize::Kind::fixed, 64}};
  EXPECT_EQ(planned(request).core, (Extent{6000, 1984}));
  request.budget_bytes = 100 * MiB;
  EXPECT_TRUE(std::holds_alternative<TileDoesNotFit>(plan_tiles(request)));
}

TEST(TilePlanner, TheSmallestBudgetItNamesIsEnoughAndOneByteLessIsNot) {
  const auto facts = upconv7();
  const auto footprint = heavy();
  TileRequest request{.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = 1000, .lanes = 3};
  const auto refused = plan_tiles(request);
  ASSERT_TRUE(std::holds_alternative<TileDoesNotFit>(refused));
  request.budget_bytes = std::get<TileDoesNotFit>(refused).smallest_budget_bytes;
  EXPECT_EQ(planned(request).lanes, 1);
  request.budget_bytes -= 1;
  EXPECT_TRUE(std::holds_alternative<TileDoesNotFit>(plan_tiles(request)));
}

TEST(TilePlanner, AfterAnOutOfMemoryTheNextSizeIsSmaller) {
  const auto facts = upconv7();
  auto footprint = heavy();
  const auto before = planned({.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = plenty});
  footprint.forbid({100, 100});
  const auto after = planned({.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = plenty});
  EXPECT_LT(after.core.height, before.core.height);
  EXPECT_LT(after.core.height + 14, 100);
  footprint.forbid({1, 1});
  const auto never = plan_tiles({.facts = facts, .footprint = footprint, .items = pages, .budget_bytes = plenty});
  ASSERT_TRUE(std::holds_alternative<TileDoesNotFit>(never));
  EXPECT_EQ(std::get<TileDoesNotFit>(never).smallest_budget_bytes, std::numeric_limits<std::uint64_t>::max());
}

/// What the planner promises of any plan: each tile that the lanes will cut fits, and none is too small.
TEST(TilePlanner, EveryTileOfEveryPlanFitsAndIsLargeEnough) {
  std::mt19937_64 random{3};
  const auto footprint = heavy();
  int plans = 0;
  for (int round = 0; round < 600; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    auto facts = random() % 2 == 0 ? upconv7() : dncnn();
    facts.geometry.min_tile_px = 1 + static_cast<int>(random() % 80);
    std::vector<ExtentCount> items;
    for (std::uint64_t i = 0; i <= random() % 3; ++i) {
      items.push_back({{1 + static_cast<int>(random() % 8000), 1 + static_cast<int>(random() % 3000)}, 1});
    }
    TileRequest request{.facts = facts,
                        .footprint = footprint,
                        .items = items,
                        .budget_bytes = MiB << (random() % 12U),
                        .lanes = 1 + static_cast<int>(random() % 4)};
    request.size = {static_cast<TileSize::Kind>(random() % 3), 1 + static_cast<int>(random() % 600)};
    request.border = random() % 4 == 0 ? Border::none : Border::replicate;
    const auto decision = plan_tiles(request);
    if (const auto* refused = std::get_if<TileDoesNotFit>(&decision)) {
      EXPECT_GT(refused->smallest_budget_bytes, request.budget_bytes);
      continue;
    }
    ++plans;
    const auto& plan = std::get<TilePlan>(decision);
    EXPECT_LE(plan.predicted_bytes, request.budget_bytes);
    EXPECT_GE(plan.lanes, 1);
    EXPECT_LE(plan.lanes, request.lanes);
    Extent largest;
    for (const auto& item : items) {
      largest = {std::max(largest.height, item.extent.height), std::max(largest.width, item.extent.width)};
    }
    EXPECT_GE(plan.core.height, std::min(facts.geometry.min_tile_px, largest.height));
    EXPECT_GE(plan.core.width, std::min(facts.geometry.min_tile_px, largest.width));
    for (const auto& item : items) {
      const Extent output = output_extent(facts.geometry, request.border, item.extent);
      if (output.empty()) {
        continue;
      }
      const BlockGrid blocks{output};
      const Extent domain{output.height / facts.geometry.scale, output.width / facts.geometry.scale};
      for (std::uint32_t block = 0; block < blocks.size(); ++block) {
        const TileGrid grid{item.extent, facts.geometry, request.border, blocks.rect(BlockId{block}), plan.core};
        const Extent input = grid.largest_source();
        const auto lanes = static_cast<std::uint64_t>(plan.lanes);
        const auto floats = static_cast<std::uint64_t>(input.area() * facts.input_channels) * 4;
        EXPECT_LE(lanes * (footprint.predict(input) + floats), plan.predicted_bytes);
        EXPECT_GE(grid.tile().height, std::min(facts.geometry.min_tile_px, domain.height));
        EXPECT_GE(grid.tile().width, std::min(facts.geometry.min_tile_px, domain.width));
      }
    }
  }
  EXPECT_GT(plans, 300);
}

TEST(TileMacs, CountsEachLayerOnItsOwnArea) {
  const LayerCost layers[] = {{.macs_per_px = 10, .shrink = {2, 4}},
                              {.macs_per_px = 3, .numerator = 2, .shrink = {4, 4}},
                              {.macs_per_px = 1, .numerator = 1, .denominator = 2, .shrink = {}},
                              {.macs_per_px = 100, .shrink = {500, 500}}};
  EXPECT_DOUBLE_EQ(tile_macs(layers, {20, 30}), 10.0 * 18 * 26 + 3.0 * 32 * 52 + 10.0 * 15);
}

}  // namespace
}  // namespace pantile
