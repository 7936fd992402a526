#include "run/shard_desk.hpp"

#include <gtest/gtest.h>

#include "base/faulty_disk.hpp"
#include "sim/sim_disk.hpp"
#include "sim/small_store.hpp"

namespace pantile {
namespace {

using sim::small_row;

/// A desk over a simulated disk, and what it said last.
class Desk : public ::testing::Test {
 protected:
  Desk() {
    disk.make_folder(layout.root);
    disk.make_folder(layout.shards());
  }
  void append(std::uint64_t item) {
    pixels_ = sim::small_pixels(item);
    tell(AppendBlock{small_row(item), {.offset = item, .bytes = 1}});
  }
  void tell(const ShardOrder& order) { said = desk.on(order, now_s); }
  template <class Kind>
  [[nodiscard]] std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const ShardAnswer& answer : said) {
      if (const auto* one = std::get_if<Kind>(&answer)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  /// Seals what is open, and returns the items that are in it then.
  std::vector<std::uint64_t> sealed_items() {
    tell(SealOpenShard{});
    const ShardIsFull full = all<ShardIsFull>().at(0);
    tell(FinishShard{full.shard, std::vector<bool>(full.rows.size(), true)});
    std::vector<std::uint64_t> items;
    for (const ShardIsFinished& finished : all<ShardIsFinished>()) {
      for (const BlockRow& row : finished.sealed.rows) {
        items.push_back(index(row.key.item));
      }
    }
    return items;
  }

  RunLayout layout{"run"};
  sim::SimDisk sim;
  testing::FaultyDisk disk{sim};
  double now_s = 0;
  std::vector<ShardAnswer> said;

 private:
  Bytes pixels_;

 protected:
  ShardDesk desk{{.layout = layout,
                  .epoch = Epoch{1},
                  .rank = RankId{1},
                  .shard_bytes = 300,
                  .seal_after = std::chrono::seconds{10}},
                 disk,
                 sim::trivial_shards(disk, layout),
                 [this](const Slot&) { return std::span<const std::byte>{pixels_}; }};
};

TEST_F(Desk, AsksToSealWhatIsLargeOrOldEnough) {
  append(0);
  EXPECT_TRUE(all<ShardIsFull>().empty());
  now_s = 9.9;
  said = desk.tick(now_s);
  EXPECT_TRUE(said.empty());
  now_s = 10;
  said = desk.tick(now_s);
  ASSERT_EQ(all<ShardIsFull>().size(), 1U);
  EXPECT_EQ(all<ShardIsFull>().front().rows, std::vector<BlockKey>{small_row(0).key});
  for (std::uint64_t item = 1; item < 5; ++item) {  // 65 to 69 bytes each
    append(item);
    EXPECT_TRUE(all<ShardIsFull>().empty());
  }
  append(5);
  ASSERT_EQ(all<ShardIsFull>().size(), 1U);
  EXPECT_EQ(all<ShardIsFull>().front().rows.size(), 5U);
}

TEST_F(Desk, CondemnsTheShardThatDoesNotFitAndKeepsTheBlockForTheNextOne) {
  append(0);
  sim.set_capacity(sim.used() + 10);
  append(1);
  ASSERT_EQ(all<ShardIsCondemned>().size(), 1U);
  EXPECT_EQ(all<ShardIsCondemned>().front().number, ENOSPC);
  EXPECT_TRUE(all<BlockIsStored>().empty()) << "its slot is not free";
  EXPECT_TRUE(sim.list(layout.shards()).empty()) << "the partial's space is given back";
  append(2);
  EXPECT_TRUE(said.empty()) << "nothing is tried until there is room";
  tell(SealOpenShard{});
  ASSERT_EQ(all<ShardIsFull>().size(), 1U) << "who asks is answered";
  EXPECT_TRUE(all<ShardIsFull>().front().rows.empty());

  sim.set_capacity(10'000);
  tell(WriteAgain{});
  EXPECT_EQ(all<BlockIsStored>().size(), 2U);
  EXPECT_EQ(sealed_items(), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(Desk, CondemnsAShardThatCannotBeSealedForWantOfRoom) {
  append(0);
  sim.set_capacity(sim.used());
  EXPECT_TRUE(sealed_items().empty());
  ASSERT_EQ(all<ShardIsCondemned>().size(), 1U);
  EXPECT_EQ(all<ShardIsCondemned>().front().shard, ShardId{0});
  sim.set_capacity(10'000);
  tell(WriteAgain{});
  append(2);
  EXPECT_EQ(sealed_items(), std::vector<std::uint64_t>{2});
}

TEST_F(Desk, IsCondemnedAgainIfThereIsNoRoomAfterAll) {
  sim.set_capacity(sim.used() + 10);
  append(0);
  tell(WriteAgain{});
  EXPECT_EQ(all<ShardIsCondemned>().size(), 1U);
  sim.set_capacity(10'000);
  tell(WriteAgain{});
  EXPECT_EQ(sealed_items(), std::vector<std::uint64_t>{0});
}

TEST_F(Desk, HasFailedForGoodAfterAnyOtherError) {
  testing::FaultyDisk broken{sim, {.call = 1, .number = EIO}};
  ShardDesk other{{.layout = layout, .epoch = Epoch{1}, .rank = RankId{2}, .shard_bytes = 300, .seal_after = {}},
                  broken,
                  sim::trivial_shards(broken, layout),
                  [](const Slot&) { return std::span<const std::byte>{}; }};
  said = other.on(AppendBlock{small_row(0), {}}, 0);
  ASSERT_EQ(all<StoreHasFailed>().size(), 1U);
  EXPECT_TRUE(all<ShardIsCondemned>().empty()) << "room will not mend it";
}

}  // namespace
}  // namespace pantile
