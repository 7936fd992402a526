#include "pipeline/lanes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "base/file.hpp"
#include "image/block_grid.hpp"
#include "model/analysis.hpp"

namespace pantile {
namespace {

/// A real model of ours on a real device, with an image of noise.
class LanesTest : public ::testing::Test {
 protected:
  LanesTest()
      : model_{read_file(std::filesystem::path{PANTILE_SAMPLE_MODELS} / "upscale2x.onnx")},
        facts_{analyse(model_, "upscale2x.onnx")},
        session_{engine(), slabs_, model_, "upscale2x.onnx"},
        stage_{session_,
               facts_,
               {.color = ColorMode::rgb, .border = Border::replicate, .scaling = {{}, {}, {}}, .output_scale = 255}} {
    const Extent extent{70, 90};
    Image image{extent, 3, Depth::u8};
    std::mt19937 dice{1};
    for (std::byte& sample : image.bytes()) {
      sample = static_cast<std::byte>(dice());
    }
    item_ = std::make_shared<const DecodedItem>(DecodedItem{{}, std::move(image), whole(extent), extent, 0});
  }

  static const Engine& engine() {
    static const Engine one;
    return one;
  }

  /// All of its tiles at once, of the whole image.
  void add(Lanes& lanes, BlockJob job) const {
    const std::size_t tiles = job.grid.size();
    lanes.feed(lanes.open(std::move(job)), item_, {0, tiles});
  }
  /// Some rows of the image, as if nothing else of it had been decoded.
  [[nodiscard]] std::shared_ptr<const DecodedItem> part(Rect rect) const {
    Image image{rect.extent(), 3, Depth::u8};
    const ImageView all = item_->image.view();
    for (int y = 0; y < rect.height; ++y) {
      const std::byte* const from = all.row(rect.y + y) + static_cast<std::size_t>(rect.x) * all.pixel_bytes();
      std::copy_n(from, image.view().row_bytes(), image.row(y));
    }
    return std::make_shared<const DecodedItem>(DecodedItem{{}, std::move(image), rect, item_->whole, 7});
  }

  struct Made {
    std::vector<std::uint8_t> pixels;
    BlockOutcome outcome;
    std::vector<std::uint32_t> tiles;  ///< told to be made
  };
  /// Makes the whole output with these tiles on these lanes, a few times at once.
  std::vector<Made> make(Extent tile, int lanes, std::size_t jobs) {
    const Extent whole_extent = output_extent(facts_.geometry, Border::replicate, item_->image.extent());
    const Rect rect = whole(whole_extent);
    std::vector<Made> made(jobs);
    std::mutex mutex;
    std::condition_variable told;
    std::size_t done = 0;
    {
      Lanes running{stage_, lanes, [] { return std::int64_t{0}; },
                    Lanes::Told{.tile =
                                    [&](const BlockJob& job, std::uint32_t one) {
                                      const std::lock_guard lock{mutex};
                                      made[job.ticket].tiles.push_back(one);
                                    },
                                .block =
                                    [&](const BlockJob& job, const BlockOutcome& outcome) {
                                      const std::lock_guard lock{mutex};
                                      made[job.ticket].outcome = outcome;
                                      ++done;
                                      told.notify_one();
                                    }}};
      for (std::size_t i = 0; i < jobs; ++i) {
        made[i].pixels.resize(static_cast<std::size_t>(rect.area()) * 3);
        add(running, {.ticket = i, .grid = grid(tile), .rect = rect, .pixels = made[i].pixels, .key = {}});
      }
      std::unique_lock lock{mutex};
      told.wait(lock, [&] { return done == jobs; });
    }
    return made;
  }

  [[nodiscard]] Extent output() const {
    return output_extent(facts_.geometry, Border::replicate, item_->image.extent());
  }
  [[nodiscard]] TileGrid grid(Extent tile) const {
    return {item_->image.extent(), facts_.geometry, Border::replicate, whole(output()), tile};
  }
  /// Makes the tiles that are not in `made`, and returns those that the lane told of.
  std::vector<std::uint32_t> make_rest(Extent tile, std::vector<std::uint8_t>& pixels,
                                       const std::vector<std::uint32_t>& made) {
    std::mutex mutex;
    std::condition_variable told;
    std::vector<std::uint32_t> tiles;
    bool done = false;
    Lanes running{stage_, 2, [] { return std::int64_t{0}; },
                  Lanes::Told{.tile =
                                  [&](const BlockJob&, std::uint32_t one) {
                                    const std::lock_guard lock{mutex};
                                    tiles.push_back(one);
                                  },
                              .block =
                                  [&](const BlockJob&, const BlockOutcome& outcome) {
                                    EXPECT_FALSE(outcome.failure);
                                    const std::lock_guard lock{mutex};
                                    done = true;
                                    told.notify_one();
                                  }}};
    add(running, {.ticket = 1, .grid = grid(tile), .rect = whole(output()), .pixels = pixels, .key = {}, .made = made});
    std::unique_lock lock{mutex};
    told.wait(lock, [&] { return done; });
    return tiles;
  }

  Meter meter_;
  SlabPool slabs_{meter_};
  Bytes model_;
  ModelFacts facts_;
  Session session_;
  ModelStage stage_;
  std::shared_ptr<const DecodedItem> item_;
};

TEST_F(LanesTest, MakeTheSamePixelsWhateverTheTilesAndLanes) {
  const std::vector<std::uint8_t> expected = make({200, 200}, 1, 1)[0].pixels;
  for (const int px : {16, 33, 64}) {
    for (const int lanes : {1, 3}) {
      for (const Made& made : make({px, px}, lanes, 3)) {
        EXPECT_FALSE(made.outcome.failure);
        EXPECT_EQ(made.pixels, expected) << px << " px, " << lanes << " lanes";
      }
    }
  }
}

TEST_F(LanesTest, TellEachTileButTheLastAndMakeOnlyWhatIsNotMade) {
  const Made whole = make({16, 16}, 2, 1)[0];
  const std::size_t tiles = grid({16, 16}).size();
  ASSERT_GT(tiles, 4U);
  EXPECT_EQ(whole.tiles.size(), tiles - 1);
  EXPECT_EQ((std::set<std::uint32_t>{whole.tiles.begin(), whole.tiles.end()}.size()), tiles - 1) << "each once";

  // Half of the tiles are there already, in a colour that no tile would give them.
  std::vector<std::uint8_t> pixels(whole.pixels.size(), 7);
  std::vector<std::uint32_t> made;
  for (std::uint32_t tile = 0; tile < tiles; tile += 2) {
    made.push_back(tile);
  }
  const std::vector<std::uint32_t> told = make_rest({16, 16}, pixels, made);
  EXPECT_EQ(told.size(), tiles - made.size() - 1);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    kept += pixels[i] == 7 && whole.pixels[i] != 7 ? 1U : 0U;
    EXPECT_TRUE(pixels[i] == 7 || pixels[i] == whole.pixels[i]);
  }
  EXPECT_GT(kept, pixels.size() / 3);
  EXPECT_LT(kept, pixels.size() * 2 / 3);
}

TEST_F(LanesTest, ABlockWhoseTilesAreAllMadeIsDoneAtOnce) {
  std::vector<std::uint8_t> pixels = make({16, 16}, 2, 1)[0].pixels;
  const std::vector<std::uint8_t> before = pixels;
  std::vector<std::uint32_t> all(grid({16, 16}).size());
  std::iota(all.begin(), all.end(), 0U);
  EXPECT_TRUE(make_rest({16, 16}, pixels, all).empty());
  EXPECT_EQ(pixels, before);
}

TEST_F(LanesTest, ACancelledBlockEndsWithoutItsOtherTiles) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t tiles = 0;
  std::optional<BlockOutcome> outcome;
  Lanes* running = nullptr;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(whole(output()).area()) * 3);
  Lanes lanes{stage_, 1, [] { return std::int64_t{0}; },
              Lanes::Told{.tile =
                              [&](const BlockJob& job, std::uint32_t) {
                                const std::lock_guard lock{mutex};
                                ++tiles;
                                running->cancel(job.ticket);
                              },
                          .block =
                              [&](const BlockJob&, const BlockOutcome& told) {
                                const std::lock_guard lock{mutex};
                                outcome = told;
                                changed.notify_one();
                              }}};
  running = &lanes;
  add(lanes, {.ticket = 9, .grid = grid({16, 16}), .rect = whole(output()), .pixels = pixels, .key = {}});
  std::unique_lock lock{mutex};
  changed.wait(lock, [&] { return outcome.has_value(); });
  EXPECT_EQ(tiles, 1U);
  ASSERT_TRUE(outcome->failure);
  EXPECT_EQ(outcome->failure->fault, Fault::none);
}

TEST_F(LanesTest, ABlockThatIsFedInPartsHasTheSamePixelsAndHoldsNoPartForLong) {
  const std::vector<std::uint8_t> expected = make({200, 200}, 1, 1)[0].pixels;
  std::mutex mutex;
  std::condition_variable told;
  std::optional<BlockOutcome> outcome;
  std::uint64_t sum = 0;
  std::vector<std::uint8_t> pixels(expected.size());
  Lanes lanes{stage_, 2, [] { return std::int64_t{0}; },
              Lanes::Told{.tile = [](const BlockJob&, std::uint32_t) {},
                          .block =
                              [&](const BlockJob& job, const BlockOutcome& made) {
                                const std::lock_guard lock{mutex};
                                outcome = made;
                                sum = job.input_xxh3;
                                told.notify_one();
                              }}};
  const TileGrid tiles = grid({16, 16});
  const Lanes::Block block =
      lanes.open({.ticket = 1, .grid = tiles, .rect = whole(output()), .pixels = pixels, .key = {}});
  std::vector<std::weak_ptr<const DecodedItem>> parts;
  for (std::size_t row = 0; row < tiles.size(); row += tiles.columns()) {
    Rect needed = needed_part(item_->whole, tiles.source(row), Border::replicate);
    needed = {needed.y, 0, needed.height, item_->whole.width};
    const std::shared_ptr<const DecodedItem> rows = part(needed);
    parts.emplace_back(rows);
    lanes.feed(block, rows, {row, row + tiles.columns()});
  }
  std::unique_lock lock{mutex};
  told.wait(lock, [&] { return outcome.has_value(); });
  EXPECT_FALSE(outcome->failure);
  EXPECT_EQ(pixels, expected);
  EXPECT_EQ(sum, 7U);
  EXPECT_GT(parts.size(), 2U);
  for (const auto& one : parts) {
    EXPECT_TRUE(one.expired());
  }
}

TEST_F(LanesTest, ABlockThatIsGivenUpHalfWayIsToldOnceItsTilesAreDone) {
  std::mutex mutex;
  std::condition_variable told;
  int times = 0;
  std::optional<Failure> failure;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(whole(output()).area()) * 3);
  Lanes lanes{stage_, 2, [] { return std::int64_t{0}; },
              Lanes::Told{.tile = [](const BlockJob&, std::uint32_t) {},
                          .block =
                              [&](const BlockJob&, const BlockOutcome& made) {
                                const std::lock_guard lock{mutex};
                                ++times;
                                failure = made.failure;
                                told.notify_one();
                              }}};
  const TileGrid tiles = grid({16, 16});
  const Lanes::Block block =
      lanes.open({.ticket = 1, .grid = tiles, .rect = whole(output()), .pixels = pixels, .key = {}});
  lanes.feed(block, item_, {0, tiles.columns()});
  lanes.give_up(block, {Fault::truncated, "it ends here"});
  {
    std::unique_lock lock{mutex};
    told.wait(lock, [&] { return times > 0; });
  }
  while (!lanes.idle()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(times, 1);
  EXPECT_EQ(failure, (Failure{Fault::truncated, "it ends here"}));
  // Nothing was fed of this one: it ends where it is given up.
  lanes.give_up(lanes.open({.ticket = 2, .grid = tiles, .rect = whole(output()), .pixels = pixels, .key = {}}),
                {Fault::corrupt, "nor here"});
  EXPECT_EQ(times, 2);
}

TEST_F(LanesTest, LanesThatAreNotUsedTakeNoTile) {
  std::mutex mutex;
  std::condition_variable told;
  std::set<std::uint32_t> seen;
  int done = 0;
  std::vector<std::vector<std::uint8_t>> pixels(6);
  Lanes lanes{stage_, 3, [] { return std::int64_t{0}; },
              Lanes::Told{.tile = [](const BlockJob&, std::uint32_t) {},
                          .block =
                              [&](const BlockJob&, const BlockOutcome& made) {
                                const std::lock_guard lock{mutex};
                                seen.insert(made.lane);
                                ++done;
                                told.notify_one();
                              }}};
  lanes.use(1);
  for (std::vector<std::uint8_t>& one : pixels) {
    one.resize(static_cast<std::size_t>(whole(output()).area()) * 3);
    add(lanes, {.ticket = 1, .grid = grid({200, 200}), .rect = whole(output()), .pixels = one, .key = {}});
  }
  std::unique_lock lock{mutex};
  told.wait(lock, [&] { return done == 6; });
  EXPECT_EQ(seen, std::set<std::uint32_t>{0});
}

TEST_F(LanesTest, TilesLargerThanAllowedAreMadeOfSmallerOnesAndNothingRanOutOfMemory) {
  const Made expected = make({200, 200}, 1, 1)[0];
  stage_.set_largest_tile({32, 40});
  const Made made = make({200, 200}, 2, 1)[0];
  EXPECT_EQ(made.pixels, expected.pixels);
  EXPECT_FALSE(made.outcome.out_of_memory);
  EXPECT_LE(made.outcome.tile.height, 32);
  EXPECT_LE(made.outcome.tile.width, 40);
  EXPECT_LT(made.outcome.peak_bytes, expected.outcome.peak_bytes);
  EXPECT_GT(expected.outcome.input.area(), made.outcome.input.area());
  stage_.set_largest_tile({1, 1});
  EXPECT_EQ(make({200, 200}, 2, 1)[0].pixels, expected.pixels) << "never below what the model needs";
}

TEST_F(LanesTest, OutOfMemoryCostsSmallerTilesAndNoPixel) {
  const std::vector<std::uint8_t> expected = make({200, 200}, 1, 1)[0].pixels;
  slabs_.trim_idle();
  const std::uint64_t base = meter_.current();
  meter_.reset_peak();
  static_cast<void>(make({32, 32}, 1, 1));
  const std::uint64_t enough_for_small = meter_.peak();
  slabs_.trim_idle();
  meter_.set_cap(base + (enough_for_small - base) * 3 / 2);
  const Made made = make({200, 200}, 2, 1)[0];
  ASSERT_FALSE(made.outcome.failure) << made.outcome.failure->detail;
  EXPECT_TRUE(made.outcome.out_of_memory);
  EXPECT_LT(made.outcome.tile.height, 70);
  EXPECT_EQ(made.pixels, expected);
  EXPECT_LE(meter_.peak(), meter_.cap());
}

TEST_F(LanesTest, WhatFitsNowhereFailsInWordsAndTheRestGoesOn) {
  slabs_.trim_idle();
  meter_.set_cap(meter_.current() + 1024);
  const Made made = make({64, 64}, 2, 1)[0];
  ASSERT_TRUE(made.outcome.failure);
  EXPECT_EQ(made.outcome.failure->fault, Fault::does_not_fit);
  meter_.set_cap(Meter::unlimited);
  EXPECT_FALSE(make({64, 64}, 2, 1)[0].outcome.failure);
}

}  // namespace
}  // namespace pantile
