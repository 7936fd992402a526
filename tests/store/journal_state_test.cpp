#include "store/journal_state.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "store/fixture.hpp"

namespace pantile {
namespace {

const OutputId page{0};
const OutputId mask{1};

RunStart start(std::uint64_t items, std::vector<OutputInfo> outputs = {{"page", DType::u8}}) {
  return {.time = "now", .items = items, .outputs = std::move(outputs), .plan = ""};
}

ShardCommit commit(std::uint32_t counter, std::vector<RowRange> ranges, std::uint32_t epoch = 1) {
  return {.shard = to_string(testing::shard_name(counter, epoch)),
          .bytes = 1,
          .content_sum = {0, 1ULL << counter},
          .ranges = std::move(ranges)};
}

RowRange lone(std::uint64_t item, std::uint64_t items = 1, OutputId output = page) {
  return {.output = output, .item = ItemId{item}, .items = items};
}

RowRange part(std::uint64_t item, std::uint32_t block, std::uint32_t blocks, std::uint32_t of_blocks = 9) {
  return {.output = page, .item = ItemId{item}, .block = BlockId{block}, .blocks = blocks, .of_blocks = of_blocks};
}

JournalState started(std::uint64_t items, std::vector<OutputInfo> outputs = {{"page", DType::u8}}) {
  JournalState state;
  state.apply(Epoch{1}, start(items, std::move(outputs)));
  return state;
}

TEST(JournalState, CountsAnItemDoneWithItsLastBlock) {
  JournalState state = started(10);
  state.apply(Epoch{1}, commit(0, {part(4, 0, 3), part(4, 8, 1)}));
  EXPECT_TRUE(state.committed({ItemId{4}, page, BlockId{2}}));
  EXPECT_FALSE(state.committed({ItemId{4}, page, BlockId{3}}));
  EXPECT_FALSE(state.done(ItemId{4}));
  EXPECT_TRUE(state.pending(ItemId{4}));
  state.apply(Epoch{1}, commit(1, {part(4, 3, 5)}));
  EXPECT_TRUE(state.done(ItemId{4}));
  EXPECT_TRUE(state.committed({ItemId{4}, page, BlockId{3}}));
  EXPECT_EQ(state.done_items(), 1U);
  EXPECT_EQ(state.rows(), 9U);
  EXPECT_EQ(state.pending_items(), 9U);
}

TEST(JournalState, CountsAnItemDoneWithItsLastOutput) {
  JournalState state = started(10, {{"page", DType::u8}, {"mask", DType::u8}});
  state.apply(Epoch{1}, commit(0, {lone(3)}));
  EXPECT_TRUE(state.done(ItemId{3}, page));
  EXPECT_FALSE(state.done(ItemId{3}));
  state.apply(Epoch{1}, commit(1, {lone(3, 1, mask)}));
  EXPECT_TRUE(state.done(ItemId{3}));
  EXPECT_EQ(state.done_items(), 1U);
}

TEST(JournalState, CountsStartsThatLeftNothing) {
  JournalState state = started(10);
  EXPECT_EQ(state.starts_in_vain(), 1U) << "so far";
  state.apply(Epoch{2}, start(10));
  EXPECT_EQ(state.starts_in_vain(), 2U);
  state.apply(Epoch{2}, commit(0, {lone(3)}, 2));
  EXPECT_EQ(state.starts_in_vain(), 0U);
  state.apply(Epoch{3}, start(10));
  EXPECT_EQ(state.starts_in_vain(), 1U);
  state.apply(Epoch{3}, ItemQuarantined{ItemId{4}, 3, {}});
  EXPECT_EQ(state.starts_in_vain(), 0U);
}

TEST(JournalState, RefusesABlockThatIsCommittedAlready) {
  JournalState state = started(20);
  state.apply(Epoch{1}, commit(0, {lone(2, 5), part(15, 0, 4)}));
  for (const RowRange& again : {lone(6), lone(0, 3), part(15, 3, 1), part(2, 0, 1), lone(15), part(15, 5, 1, 6)}) {
    EXPECT_THROW(state.apply(Epoch{1}, commit(1, {again})), Error) << index(again.item) << " " << again.items;
  }
  EXPECT_THROW(state.apply(Epoch{1}, commit(1, {lone(8), lone(8)})), Error) << "twice in one commit";
  EXPECT_THROW(state.apply(Epoch{1}, commit(1, {lone(8, 3), lone(10)})), Error);
  EXPECT_THROW(state.apply(Epoch{1}, commit(1, {part(16, 2, 3), part(16, 4, 1)})), Error);
  EXPECT_THROW(state.apply(Epoch{1}, commit(0, {lone(8)})), Error) << "a shard commits once";
  EXPECT_EQ(state.rows(), 9U) << "a refused record changes nothing";
  EXPECT_EQ(state.shards().size(), 1U);
  state.apply(Epoch{1}, commit(1, {lone(8), part(15, 4, 5)}));
  EXPECT_TRUE(state.done(ItemId{15}));
}

TEST(JournalState, RefusesRowsThatCannotBe) {
  JournalState state = started(20);
  for (const RowRange& wrong :
       {lone(20), lone(19, 2), lone(0, 0), lone(1, 1, mask), part(3, 9, 1), part(3, 8, 2), part(3, 0, 0)}) {
    EXPECT_THROW(state.apply(Epoch{1}, commit(0, {wrong})), Error);
  }
  EXPECT_THROW(state.apply(Epoch{1}, ItemQuarantined{.item = ItemId{20}}), Error);
  EXPECT_THROW(state.apply(Epoch{1}, ShardRetired{.shard = "e0001-r0001-000000.h5"}), Error);
  EXPECT_THROW(state.apply(Epoch{1}, Release{.item = ItemId{1}}), Error);
  EXPECT_THROW(state.apply(Epoch{1}, RunEnd{}), Error) << "items are pending";
}

// A journal that someone else made may ask for all memory in a few bytes.
TEST(JournalState, RefusesToTakeMoreMemoryThanAnyRunNeeds) {
  JournalState state;
  EXPECT_THROW(state.apply(Epoch{1}, start((std::uint64_t{1} << 31U) + 1)), Error);
  EXPECT_THROW(state.apply(Epoch{1}, start((std::uint64_t{1} << 30U) + 1, {{"page", DType::u8}, {"mask", DType::u8}})),
               Error);
  EXPECT_EQ(state.items(), 0U);
  state.apply(Epoch{1}, start(100));
  std::vector<RowRange> ranges;
  for (std::uint64_t item = 0; item < 33; ++item) {
    ranges.push_back(part(item, 0, 1, std::uint32_t{1} << 26U));
  }
  EXPECT_THROW(state.apply(Epoch{1}, commit(0, ranges)), Error);
  EXPECT_FALSE(state.committed({ItemId{0}, page, BlockId{0}}));
  ranges.resize(1);
  state.apply(Epoch{1}, commit(1, ranges));  // One of them is an item as large as there may be.
  EXPECT_TRUE(state.committed({ItemId{0}, page, BlockId{0}}));
}

TEST(JournalState, RefusesCommitsOfAnOlderEpoch) {
  JournalState state = started(20);
  state.apply(Epoch{2}, start(20));
  EXPECT_THROW(state.apply(Epoch{1}, commit(0, {lone(0)}, 1)), Error);
  EXPECT_THROW(state.apply(Epoch{2}, commit(0, {lone(0)}, 1)), Error) << "its name tells its epoch";
  EXPECT_THROW(state.apply(Epoch{2}, start(20)), Error) << "a start begins a later epoch";
  state.apply(Epoch{2}, commit(0, {lone(0)}, 2));
  EXPECT_TRUE(state.done(ItemId{0}));
  state.apply(Epoch{7}, start(20));
  EXPECT_EQ(state.epoch(), Epoch{7}) << "those in between may have been lost";
}

TEST(JournalState, AdoptsShardsOfEarlierEpochsOnly) {
  JournalState state = started(20);
  state.apply(Epoch{3}, start(20));
  EXPECT_THROW(state.apply(Epoch{3}, ShardAdopted{commit(0, {lone(0)}, 3)}), Error);
  EXPECT_THROW(state.apply(Epoch{3}, ShardAdopted{commit(0, {lone(0)}, 4)}), Error);
  state.apply(Epoch{3}, ShardAdopted{commit(0, {lone(0)}, 2)});
  EXPECT_TRUE(state.done(ItemId{0}));
  EXPECT_THROW(state.apply(Epoch{3}, ShardAdopted{commit(1, {lone(0)}, 2)}), Error) << "the first one wins";
  state.apply(Epoch{3}, ShardRetired{to_string(testing::shard_name(0, 2))});
  EXPECT_TRUE(state.retired(to_string(testing::shard_name(0, 2))));
}

TEST(JournalState, RefusesAnotherCatalogOrOtherOutputs) {
  JournalState state = started(20);
  EXPECT_THROW(state.apply(Epoch{2}, start(19)), Error);
  EXPECT_THROW(state.apply(Epoch{2}, start(20, {{"page", DType::u16}})), Error);
  state.apply(Epoch{2}, start(25));
  EXPECT_EQ(state.pending_items(), 25U);
}

TEST(JournalState, GivesTheRowsOfARetiredShardBack) {
  JournalState state = started(20);
  state.apply(Epoch{1}, commit(0, {lone(2, 3), part(10, 0, 4)}));
  state.apply(Epoch{1}, commit(1, {lone(5), part(10, 4, 5)}));
  const Hash128 sum = state.content_sum();
  EXPECT_TRUE(state.done(ItemId{10}));
  state.apply(Epoch{1}, ShardRetired{.shard = to_string(testing::shard_name(0))});
  EXPECT_FALSE(state.done(ItemId{2}));
  EXPECT_TRUE(state.done(ItemId{5}));
  EXPECT_FALSE(state.done(ItemId{10}));
  EXPECT_FALSE(state.committed({ItemId{10}, page, BlockId{3}}));
  EXPECT_TRUE(state.committed({ItemId{10}, page, BlockId{4}}));
  EXPECT_EQ(state.rows(), 6U);
  EXPECT_EQ(state.done_items(), 1U);
  EXPECT_EQ(state.content_sum(), (Hash128{0, 2}));
  EXPECT_NE(state.content_sum(), sum);
  ASSERT_NE(state.find_shard(to_string(testing::shard_name(1))), nullptr);
  state.apply(Epoch{1}, commit(2, {lone(2, 3), part(10, 0, 4)}));
  EXPECT_TRUE(state.done(ItemId{10}));
  EXPECT_EQ(state.done_items(), 5U);
}

TEST(JournalState, KeepsDoneQuarantinedAndPendingApart) {
  JournalState state = started(3);
  state.apply(Epoch{1}, AttemptFailed{.item = ItemId{1}, .attempt = 2, .failure = {Fault::crashed, ""}});
  state.apply(Epoch{1}, AttemptFailed{.item = ItemId{1}, .attempt = 1, .failure = {Fault::crashed, ""}});
  EXPECT_EQ(state.failed_attempts(ItemId{1}), 2U);
  state.apply(Epoch{1}, ItemQuarantined{.item = ItemId{1}, .attempts = 3, .failure = {Fault::crashed, "why"}});
  EXPECT_FALSE(state.wanted({ItemId{1}, page, BlockId{0}}));
  EXPECT_TRUE(state.wanted({ItemId{0}, page, BlockId{0}}));
  EXPECT_EQ(state.pending_items(), 2U);
  EXPECT_EQ(state.failed_attempts(ItemId{1}), 0U);
  state.apply(Epoch{1}, commit(0, {lone(0)}));
  EXPECT_FALSE(state.wanted({ItemId{0}, page, BlockId{0}}));
  EXPECT_THROW(state.apply(Epoch{1}, ItemQuarantined{.item = ItemId{0}}), Error) << "it is done";
  state.apply(Epoch{1}, commit(1, {lone(2)}));
  EXPECT_EQ(state.pending_items(), 0U);
  state.apply(Epoch{1}, RunEnd{{5, 6}, {}});
  EXPECT_EQ(state.end()->digest, (Hash128{5, 6}));
  state.apply(Epoch{1}, Release{.item = ItemId{1}});
  EXPECT_FALSE(state.end()) << "it is no longer the end";
  EXPECT_TRUE(state.pending(ItemId{1}));
}

// An independent model, a set of committed keys, says the same after any history.
TEST(JournalState, AgreesWithASetOfBlocksAfterRandomHistories) {
  constexpr std::uint64_t items = 12;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    JournalState state = started(items);
    const auto blocks_of = [](std::uint64_t item) { return item % 3 == 0 ? 6U : 1U; };
    std::map<std::string, std::vector<BlockKey>> by_shard;
    std::set<BlockKey> model;
    for (std::uint32_t step = 0; step < 20; ++step) {
      if (random() % 4 == 0 && !by_shard.empty()) {
        const auto lost = std::next(by_shard.begin(), static_cast<std::ptrdiff_t>(random() % by_shard.size()));
        state.apply(Epoch{1}, ShardRetired{.shard = lost->first});
        for (const BlockKey& key : lost->second) {
          model.erase(key);
        }
        by_shard.erase(lost);
        continue;
      }
      std::vector<BlockRow> rows;
      for (std::uint64_t item = 0; item < items; ++item) {
        for (std::uint32_t block = 0; block < blocks_of(item); ++block) {
          const BlockKey key{ItemId{item}, page, BlockId{block}};
          if (random() % 4 == 0 && state.wanted(key)) {
            BlockRow row;
            row.key = key;
            row.item_extent = blocks_of(item) == 6 ? Extent{4100, 4000} : Extent{5, 5};
            rows.push_back(row);
          }
        }
      }
      const ShardCommit record = commit(step, to_ranges(rows));
      state.apply(Epoch{1}, record);
      for (const BlockRow& row : rows) {
        by_shard[record.shard].push_back(row.key);
        ASSERT_TRUE(model.insert(row.key).second);
      }
    }
    std::uint64_t done = 0;
    for (std::uint64_t item = 0; item < items; ++item) {
      bool all = true;
      for (std::uint32_t block = 0; block < blocks_of(item); ++block) {
        const BlockKey key{ItemId{item}, page, BlockId{block}};
        ASSERT_EQ(state.committed(key), model.contains(key)) << item << " " << block;
        all = all && model.contains(key);
      }
      ASSERT_EQ(state.done(ItemId{item}), all);
      done += all ? 1 : 0;
    }
    ASSERT_EQ(state.done_items(), done);
    ASSERT_EQ(state.rows(), model.size());
  }
}

}  // namespace
}  // namespace pantile
