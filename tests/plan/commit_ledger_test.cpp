#include "plan/commit_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr RankId r1{1};
constexpr RankId r2{2};

/// Item 3 with blocks 0 … 3 of output 0, item 8 with block 5 of output 1.
CommitLedger ledger_of_two() {
  Work work;
  const BlockRange four{OutputId{0}, BlockId{0}, 4};
  const BlockRange one{OutputId{1}, BlockId{5}, 1};
  work.add(ItemId{8}, 10, {&one, 1});
  work.add(ItemId{3}, 20, {&four, 1});
  return CommitLedger{std::move(work)};
}
BlockKey block(std::uint32_t at) { return {ItemId{3}, OutputId{0}, BlockId{at}}; }

TEST(CommitLedger, PromisesEachBlockToOneShard) {
  auto ledger = ledger_of_two();
  const std::vector<BlockKey> first{block(1), block(2), block(2)};
  EXPECT_THAT(ledger.promise(r1, ShardId{1}, first, 0), Optional(ElementsAre(true, true, false)));
  const std::vector<BlockKey> second{
      block(0), block(1), block(4), {ItemId{8}, OutputId{1}, BlockId{5}}, {ItemId{9}, OutputId{0}, BlockId{0}}};
  EXPECT_THAT(ledger.promise(r2, ShardId{1}, second, 0), Optional(ElementsAre(true, false, false, true, false)));
  EXPECT_EQ(ledger.loose(0), 1U);
  EXPECT_EQ(ledger.promised(0), 3U);
  EXPECT_THAT(ledger.loose_blocks(0), ElementsAre(BlockRange{OutputId{0}, BlockId{3}, 1}));
  ledger.check_invariants();
}

TEST(CommitLedger, AWithdrawnPromiseIsFreeForOthersAndACommittedOneIsNot) {
  auto ledger = ledger_of_two();
  const std::vector<BlockKey> rows{block(0), block(3)};
  ASSERT_TRUE(ledger.promise(r1, ShardId{1}, rows, 0));
  EXPECT_THAT(ledger.withdraw(r1, ShardId{1}), ElementsAre(0));
  EXPECT_EQ(ledger.standing(r1, ShardId{1}), ShardStanding::withdrawn);
  EXPECT_THAT(ledger.promise(r2, ShardId{1}, rows, 0), Optional(ElementsAre(true, true)));
  ledger.begin_commit(r2, ShardId{1});
  EXPECT_THAT(ledger.withdraw(r2, ShardId{1}), IsEmpty()) << "there is no way back from the journal";
  EXPECT_THAT(ledger.commit(r2, ShardId{1}), ElementsAre(0));
  EXPECT_THAT(ledger.commit(r2, ShardId{1}), IsEmpty());
  EXPECT_THAT(ledger.promise(r1, ShardId{2}, rows, 0), Optional(ElementsAre(false, false)));
  EXPECT_EQ(ledger.standing(r1, ShardId{2}), ShardStanding::withdrawn) << "a shard of nothing never is one";
  EXPECT_EQ(ledger.blocks_committed(), 2U);
  EXPECT_THAT(ledger.loose_blocks(0), ElementsAre(BlockRange{OutputId{0}, BlockId{1}, 2}));
  ledger.check_invariants();
}

TEST(CommitLedger, AnswersForAShardOnce) {
  auto ledger = ledger_of_two();
  const std::vector<BlockKey> rows{block(0)};
  EXPECT_TRUE(ledger.promise(r1, ShardId{1}, rows, 0));
  EXPECT_FALSE(ledger.promise(r1, ShardId{1}, rows, 0));
}

TEST(CommitLedger, TellsWhichPromisesAreOldOrOfARank) {
  auto ledger = ledger_of_two();
  const std::vector<BlockKey> first{block(0)};
  const std::vector<BlockKey> second{block(1)};
  const std::vector<BlockKey> third{block(2)};
  ASSERT_TRUE(ledger.promise(r1, ShardId{1}, first, 10));
  ASSERT_TRUE(ledger.promise(r1, ShardId{2}, second, 20));
  ASSERT_TRUE(ledger.promise(r2, ShardId{1}, third, 15));
  ledger.begin_commit(r1, ShardId{1});
  EXPECT_THAT(ledger.promised_to(r1), ElementsAre(CommitLedger::ShardKey{r1, ShardId{2}}));
  EXPECT_THAT(ledger.promised_before(16), ElementsAre(CommitLedger::ShardKey{r2, ShardId{1}}));
  EXPECT_EQ(ledger.unsettled_shards(), 3U);
}

TEST(CommitLedger, AClosedItemIsPromisedNothingMore) {
  auto ledger = ledger_of_two();
  ledger.close(0);
  const std::vector<BlockKey> rows{block(0)};
  EXPECT_THAT(ledger.promise(r1, ShardId{1}, rows, 0), Optional(ElementsAre(false)));
}

}  // namespace
}  // namespace pantile
