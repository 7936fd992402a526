#include "image/tile_grid.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "image/block_grid.hpp"

namespace pantile {
namespace {

struct Case {
  Extent image;
  TileGeometry geometry;
  Border border = Border::replicate;
  Rect target;
  Extent core;
  [[nodiscard]] TileGrid grid() const { return {image, geometry, border, target, core}; }
};

/// Random cases from the whole range of what a run may ask for, mostly small, so that edges meet often.
class Cases {
 public:
  explicit Cases(std::uint64_t seed) : random_{seed} {}

  Case next() {
    while (true) {
      Case one;
      one.image = {between(1, 90), between(1, 90)};
      one.geometry = {.scale = between(1, 4),
                      .halo = {between(0, 9), between(0, 9), between(0, 9), between(0, 9)},
                      .padding = between(0, 1) == 0 ? Padding::valid : Padding::same,
                      .min_tile_px = between(0, 1) == 0 ? 1 : between(1, 40),
                      .alignment_px = between(0, 1) == 0 ? 1 : between(2, 16),
                      .whole_only = between(0, 9) == 0};
      one.border = static_cast<Border>(between(0, 2));
      one.core = {between(1, 60), between(1, 60)};
      const Extent output = output_extent(one.geometry, one.border, one.image);
      if (output.empty()) {
        continue;
      }
      one.target.y = between(0, output.height - 1);
      one.target.x = between(0, output.width - 1);
      one.target.height = between(1, output.height - one.target.y);
      one.target.width = between(1, output.width - one.target.x);
      return one;
    }
  }

 private:
  int between(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }
  std::mt19937_64 random_;
};

template <class Check>
void for_many_cases(Check check) {
  for (std::uint64_t seed = 0; seed < 4'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    check(Cases{seed}.next());
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

/// Input pixels that the output pixels `rect` are made of, the halo included, by the definition of a local model.
Rect needed(const Case& c, Rect rect) {
  const int scale = c.geometry.scale;
  const bool shifted = c.geometry.padding == Padding::valid && c.border == Border::none;
  const int y = rect.y / scale + (shifted ? c.geometry.halo.top : 0) - c.geometry.halo.top;
  const int x = rect.x / scale + (shifted ? c.geometry.halo.left : 0) - c.geometry.halo.left;
  const int rows = (rect.bottom() - 1) / scale - rect.y / scale + 1;
  const int columns = (rect.right() - 1) / scale - rect.x / scale + 1;
  return {y, x, rows + c.geometry.halo.vertical(), columns + c.geometry.halo.horizontal()};
}

TEST(BlockGrid, CountsTheBlocksOfAnyExtent) {
  constexpr int most = std::numeric_limits<int>::max();
  EXPECT_EQ((BlockGrid{{most, 1}}.size()), 1U << 20U);
  EXPECT_EQ((BlockGrid{{most, most}}.count()), std::uint64_t{1} << 40U);
  EXPECT_EQ((BlockGrid{{2048, 2049}}.count()), 2U);
  EXPECT_EQ((BlockGrid{{most, 1}}.rect(BlockId{(1U << 20U) - 1})), (Rect{most - 2047, 0, 2047, 1}));
}

TEST(TileGrid, OwnedRectsCoverTheTargetExactlyOnce) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    std::vector<int> writes(static_cast<std::size_t>(c.target.area()));
    for (std::size_t i = 0; i < grid.size(); ++i) {
      const Rect owned = grid.owned(i);
      ASSERT_FALSE(owned.empty());
      ASSERT_TRUE(c.target.contains(owned));
      for (int y = owned.y; y < owned.bottom(); ++y) {
        for (int x = owned.x; x < owned.right(); ++x) {
          ++writes[static_cast<std::size_t>((y - c.target.y) * c.target.width + x - c.target.x)];
        }
      }
    }
    ASSERT_EQ(writes, std::vector<int>(writes.size(), 1));
  });
}

TEST(TileGrid, EachTileSeesAllThatItsPixelsAreMadeOf) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    for (std::size_t i = 0; i < grid.size(); ++i) {
      ASSERT_TRUE(grid.produced(i).contains(grid.owned(i)));
      Rect reach = needed(c, grid.owned(i));
      if (c.geometry.padding == Padding::same) {
        // The model pads the edge of the image itself.
        reach = intersection(reach, whole(rounded_up(c.image, c.geometry.alignment_px)));
      }
      ASSERT_TRUE(grid.source(i).contains(reach));
    }
  });
}

TEST(TileGrid, TheModelsOutputForTheSourceIsWhatIsProduced) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    for (std::size_t i = 0; i < grid.size(); ++i) {
      // A model does not know of our borders: to it, a source is an image.
      ASSERT_EQ(output_extent(c.geometry, Border::none, grid.source(i).extent()), grid.produced(i).extent());
      if (c.geometry.padding == Padding::valid) {
        ASSERT_EQ(needed(c, grid.produced(i)), grid.source(i));
      }
      ASSERT_EQ(rounded_up(grid.source(i).extent(), c.geometry.alignment_px), grid.source(i).extent());
    }
  });
}

TEST(TileGrid, SourcesStayInTheImageWhereNothingExtendsIt) {
  for_many_cases([](const Case& c) {
    if (c.geometry.padding == Padding::valid && c.border != Border::none) {
      return;
    }
    const TileGrid grid = c.grid();
    const Extent extended = rounded_up(c.image, c.geometry.alignment_px);
    // Core and source are both extended to the next multiple.
    const int more = c.geometry.padding == Padding::valid ? 2 * (c.geometry.alignment_px - 1) : 0;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      ASSERT_TRUE(whole({extended.height + more, extended.width + more}).contains(grid.source(i)));
    }
  });
}

TEST(TileGrid, TilesOfABlockAreEvenAndNeitherTooSmallNorLargerThanAskedFor) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    const Extent output = output_extent(c.geometry, c.border, c.image);
    const auto check = [&](int side, int wanted, int available) {
      const int unit = c.geometry.alignment_px;
      const int all = rounded_up(available, unit);
      const int least = c.geometry.whole_only ? all : std::min(rounded_up(c.geometry.min_tile_px, unit), all);
      ASSERT_GE(side, std::max(least, 1));
      ASSERT_LE(side, std::max({wanted, least, unit}));
      ASSERT_EQ(side % unit, 0);
    };
    check(grid.tile().height, c.core.height, output.height / c.geometry.scale);
    check(grid.tile().width, c.core.width, output.width / c.geometry.scale);
    for (std::size_t i = 0; i < grid.size() && c.geometry.padding == Padding::valid; ++i) {
      ASSERT_TRUE(whole(grid.produced(i).extent()).contains(whole(grid.tile() * c.geometry.scale)));
    }
  });
}

TEST(TileGrid, LargestSourceIsTheLargest) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    Extent largest;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      largest.height = std::max(largest.height, grid.source(i).height);
      largest.width = std::max(largest.width, grid.source(i).width);
    }
    ASSERT_EQ(grid.largest_source(), largest);
  });
}

TEST(TileGrid, CutsAnImageAsItsHeaderSays) {
  const TileGeometry upscaler{.scale = 2, .halo = {7, 7, 7, 7}, .padding = Padding::valid};
  const TileGrid grid{{100, 100}, upscaler, Border::replicate, {0, 0, 200, 200}, {64, 64}};
  ASSERT_EQ(grid.size(), 4U);
  EXPECT_EQ(grid.tile(), (Extent{50, 50}));
  EXPECT_EQ(grid.source(0), (Rect{-7, -7, 64, 64}));
  EXPECT_EQ(grid.owned(0), (Rect{0, 0, 100, 100}));
  EXPECT_EQ(grid.produced(3), (Rect{100, 100, 100, 100}));
}

/// What makes the results of strides repeat: a tile sees the phases that the whole image shows there.
TEST(TileGrid, TilesBeginAtMultiplesOfTheAlignment) {
  for_many_cases([](const Case& c) {
    const TileGrid grid = c.grid();
    const int unit = c.geometry.alignment_px;
    const bool valid = c.geometry.padding == Padding::valid;
    const bool shifted = valid && c.border == Border::none;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      const Rect source = grid.source(i);
      ASSERT_EQ((source.y + (valid && !shifted ? c.geometry.halo.top : 0)) % unit, 0);
      ASSERT_EQ((source.x + (valid && !shifted ? c.geometry.halo.left : 0)) % unit, 0);
    }
  });
}

TEST(TileGrid, AModelThatMustSeeAllSeesAll) {
  const TileGeometry geometry{.halo = {}, .padding = Padding::same, .alignment_px = 32, .whole_only = true};
  const TileGrid grid{{100, 70}, geometry, Border::none, {10, 20, 5, 5}, {8, 8}};
  ASSERT_EQ(grid.size(), 1U);
  EXPECT_EQ(grid.source(0), (Rect{0, 0, 128, 96}));
  EXPECT_EQ(grid.produced(0), (Rect{0, 0, 128, 96}));
  EXPECT_EQ(grid.owned(0), (Rect{10, 20, 5, 5}));
}

TEST(TileGrid, ExtendsAnImageToTheAlignment) {
  const TileGeometry unet{.halo = {17, 17, 15, 15}, .padding = Padding::same, .alignment_px = 4};
  const TileGrid grid{{101, 99}, unet, Border::none, {0, 0, 101, 99}, {50, 50}};
  EXPECT_EQ(grid.tile(), (Extent{36, 36}));
  EXPECT_EQ(grid.source(0), (Rect{0, 0, 52, 52}));
  EXPECT_EQ(grid.source(8), (Rect{48, 44, 56, 56})) << "to 104 and 100, of which the image has 101 and 99";
  EXPECT_EQ(grid.owned(8), (Rect{72, 72, 29, 27}));
}

TEST(TileGrid, ShiftsTheLastTileInwards) {
  const TileGrid grid{{1, 101}, {}, Border::replicate, {0, 0, 1, 101}, {1, 50}};
  ASSERT_EQ(grid.size(), 3U);
  EXPECT_EQ(grid.tile(), (Extent{1, 34}));
  EXPECT_EQ(grid.source(2), (Rect{0, 67, 1, 34}));
  EXPECT_EQ(grid.owned(2), (Rect{0, 68, 1, 33}));
}

TEST(TileGrid, GrowsASmallTileIntoTheImageBeyondItsBlock) {
  // The second block of an image of 1040 rows at scale 2 has 16 input rows; the model needs tiles of 64.
  const TileGeometry geometry{.scale = 2, .halo = {}, .padding = Padding::valid, .min_tile_px = 64};
  const Extent image{1040, 300};
  const BlockGrid blocks{output_extent(geometry, Border::replicate, image)};
  ASSERT_EQ(blocks.size(), 2U);
  const TileGrid grid{image, geometry, Border::replicate, blocks.rect(BlockId{1}), {512, 512}};
  ASSERT_EQ(grid.size(), 1U);
  EXPECT_EQ(grid.source(0), (Rect{976, 0, 64, 300}));
  EXPECT_EQ(grid.owned(0), (Rect{2048, 0, 32, 600}));
}

TEST(TileGridDeath, RefusesATargetOutsideTheOutput) {
  EXPECT_DEATH((TileGrid{{10, 10}, {}, Border::replicate, {0, 0, 11, 10}, {8, 8}}), "target");
}

TEST(TileGrid, ASmallPartOfATileStaysInWhatThatTileLooksAt) {
  TileGeometry geometry{.scale = 1, .halo = {4, 4, 4, 4}, .padding = Padding::same, .min_tile_px = 32};
  const Extent image{6000, 6000};
  const Rect block{2048, 2048, 2048, 2048};
  for (const int side : {40, 72, 100, 2048}) {
    const TileGrid tiles{image, geometry, Border::none, block, {side, side}};
    for (const std::size_t index : {std::size_t{0}, tiles.columns() - 1, tiles.size() - 1}) {
      const Rect owned = tiles.owned(index);
      const Rect seen = tiles.source(index);
      // Its last rows and columns, fewer than a tile may have.
      const Rect corner{owned.bottom() - std::min(5, owned.height), owned.right() - std::min(5, owned.width),
                        std::min(5, owned.height), std::min(5, owned.width)};
      for (const Rect part : {corner, owned}) {
        const TileGrid pieces{image, geometry, Border::none, part, {32, 32}};
        for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
          EXPECT_TRUE(seen.contains(pieces.source(piece))) << side << " " << index;
          EXPECT_GE(pieces.tile().height, 32);
        }
      }
    }
  }
}

}  // namespace
}  // namespace pantile
