#include "plan/work.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pantile {
namespace {

using ::testing::ElementsAre;

TEST(Work, KeepsTheRangesOfEachItemWhenSorted) {
  Work work;
  const BlockRange one{OutputId{0}, BlockId{0}, 1};
  const std::vector<BlockRange> two{{OutputId{0}, BlockId{3}, 2}, {OutputId{1}, BlockId{0}, 4}};
  work.add(ItemId{9}, 100, {&one, 1}, 1);
  work.add(ItemId{4}, 200, two);
  work.sort();
  ASSERT_EQ(work.items().size(), 2U);
  EXPECT_EQ(work.items()[0].item, ItemId{4});
  EXPECT_THAT(work.missing(work.items()[0]), ElementsAre(two[0], two[1]));
  EXPECT_THAT(work.missing(work.items()[1]), ElementsAre(one));
  EXPECT_EQ(work.items()[1].failed_attempts, 1U);
}

TEST(WorkDeathTest, AnItemIsAddedOnceAndMissesBlocks) {
  const BlockRange one{OutputId{0}, BlockId{0}, 1};
  EXPECT_DEATH(
      {
        Work work;
        work.add(ItemId{1}, 1, {&one, 1});
        work.add(ItemId{1}, 1, {&one, 1});
        work.sort();
      },
      "once");
  EXPECT_DEATH(Work{}.add(ItemId{1}, 1, {}), "misses blocks");
}

}  // namespace
}  // namespace pantile
