// The policies `dynamic` and `equal`: what each rank gets, and that nothing is lost under them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/desk.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Policy = ScheduleConfig::Policy;

constexpr RankId r1{1};
constexpr RankId r2{2};

SchedulerSettings two_ranks(Policy policy) { return {.policy = policy, .expected_ranks = 2}; }

TEST(Policies, DynamicIsAQueueInTheOrderOfTheCatalog) {
  Desk desk{items_of({10, 30, 20, 40}), two_ranks(Policy::dynamic)};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
  EXPECT_THAT(desk.assigned(r2), ElementsAre(1));
  EXPECT_THAT(desk.hear(ItemComputed{r2, ItemId{1}, 1}, 1).assigned(r2), ElementsAre(2, 3));
}

TEST(Policies, DynamicPassesOverWhatARankCannotHold) {
  Desk desk{items_of({500, 10, 500}), two_ranks(Policy::dynamic)};
  desk.hear(RankJoined{.rank = r1, .largest_px = 100});
  desk.hear(RankJoined{.rank = r2, .largest_px = 1000});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(1));
  EXPECT_THAT(desk.assigned(r2), ElementsAre(0));
}

TEST(Policies, EqualGivesEachRankItsShareAndNoMore) {
  Desk desk{items_of({10, 10, 10, 90, 90, 90}), two_ranks(Policy::equal)};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 100}).hear(RankJoined{.rank = r2, .px_per_s = 1});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0, 1, 2)) << "they are small, and travel together";
  EXPECT_THAT(desk.assigned(r2), ElementsAre(3, 4)) << "one to run and one ahead";
  desk.hear(ItemComputed{r1, ItemId{0}, 0.1}, 1);
  desk.hear(ItemComputed{r1, ItemId{1}, 0.1}, 1);
  desk.hear(ItemComputed{r1, ItemId{2}, 0.1}, 1);
  EXPECT_THAT(desk.all<Assign>(), IsEmpty()) << "the fast rank is done, and the slow one keeps its share";
  EXPECT_EQ(desk.state(5), ItemState::waiting);
}

TEST(Policies, AUnitOfEqualEndsWithTheShare) {
  Desk desk{items_of({1, 1, 1, 1, 1, 1000, 1000, 1000}), two_ranks(Policy::equal)};
  desk.hear(RankJoined{.rank = r2, .px_per_s = 100}).hear(RankJoined{.rank = r1, .px_per_s = 100});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0, 1, 2, 3)) << "half a second would have room for the next one too";
}

TEST(Policies, AUnitOfEqualStaysInTheShareAlsoWhereTheNextOneHasBegun) {
  Desk desk{items_of({1000, 1, 1, 1000, 1, 1}), two_ranks(Policy::equal)};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  EXPECT_THAT(desk.assigned(r1), ElementsAre(0));
  EXPECT_THAT(desk.assigned(r2), ElementsAre(3)) << "the first of its share no longer waits";
  desk.hear(ItemComputed{r1, ItemId{0}, 0.1}, 1);
  EXPECT_THAT(desk.assigned(r1), ElementsAre(1, 2));
}

TEST(Policies, EqualLeavesNothingOfALostRankUndone) {
  Desk desk{items_of({10, 10, 90, 90}), two_ranks(Policy::equal)};
  desk.hear(RankJoined{.rank = r1, .px_per_s = 1000}).hear(RankJoined{.rank = r2});
  desk.hear(ItemComputed{r1, ItemId{0}, 0.01}, 0.1);
  desk.hear(ItemComputed{r1, ItemId{1}, 0.01}, 0.2);
  EXPECT_THAT(desk.assigned(r1), IsEmpty());
  EXPECT_THAT(desk.hear(RankLost{r2}, 1).assigned(r1), ElementsAre(2, 3));
}

TEST(Policies, EqualLetsAnotherRankTryWhatItsOwnerFailed) {
  Desk desk{items_of({10, 10}), two_ranks(Policy::equal)};
  desk.hear(RankJoined{.rank = r1}).hear(RankJoined{.rank = r2});
  desk.hear(ItemFailed{r1, ItemId{0}, Fault::unreadable, "a mount is away"}, 1);
  EXPECT_THAT(desk.assigned(r1), IsEmpty());
  EXPECT_THAT(desk.hear(ItemComputed{r2, ItemId{1}, 1}, 2).assigned(r2), ElementsAre(0));
}

TEST(Policies, BothGiveUpWhatFitsNowhereWhereverItStands) {
  for (const Policy policy : {Policy::dynamic, Policy::equal}) {
    Desk desk{items_of({10, 5000, 20}), {.policy = policy}};
    desk.hear(RankJoined{.rank = r1, .largest_px = 100});
    desk.commit(r1, 0, 0, 1, 1);
    desk.commit(r1, 2, 1, 1, 2);
    EXPECT_EQ(desk.state(1), ItemState::quarantined);
    EXPECT_TRUE(desk.scheduler.finished());
  }
}

}  // namespace
}  // namespace pantile
