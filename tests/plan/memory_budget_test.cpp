#include "plan/memory_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

/// A device of 1000 MiB with workers of one run and strangers on it; a look each second.
class Node {
 public:
  explicit Node(MemoryTerms terms) : budget{terms} {}

  std::uint64_t look(std::uint64_t strangers, std::uint64_t ours) {
    time_s += 1;
    return budget.look({.time_s = time_s,
                        .limit_bytes = 1000 * MiB,
                        .used_bytes = strangers + ours,
                        .used_by_us_bytes = ours,
                        .used_by_workers_bytes = std::nullopt});
  }
  /// So many looks with the same use.
  std::uint64_t look_for(int seconds, std::uint64_t strangers, std::uint64_t ours = 0) {
    for (int i = 0; i < seconds; ++i) {
      look(strangers, ours);
    }
    return budget.in_force();
  }

  MemoryBudget budget;
  double time_s = 0;
};

constexpr int quiet = static_cast<int>(MemoryBudget::quiet_s);

TEST(MemoryBudget, IsTheCapWhereOthersLeaveRoomForIt) {
  Node node{{.cap_bytes = 640 * MiB}};
  EXPECT_EQ(node.budget.in_force(), 640 * MiB) << "before the first look";
  EXPECT_EQ(node.look(360 * MiB, 100 * MiB), 640 * MiB);
  EXPECT_FALSE(node.budget.is_pressed());
  EXPECT_EQ(node.budget.others_bytes(), 360 * MiB);
}

TEST(MemoryBudget, ShrinksWithTheLookThatShowsTheNeed) {
  Node node{{.cap_bytes = 640 * MiB, .leave_bytes = 100 * MiB}};
  node.look_for(100, 0, 500 * MiB);
  EXPECT_EQ(node.look(500 * MiB, 500 * MiB), 400 * MiB);
  EXPECT_TRUE(node.budget.is_pressed());
  EXPECT_EQ(node.look(655 * MiB, 400 * MiB), 240 * MiB) << "245, in steps of 10";
  EXPECT_EQ(node.budget.missing_bytes(), 0U);
}

TEST(MemoryBudget, GrowsBackAfterAWhileWithoutNeedAndNotBefore) {
  Node node{{.cap_bytes = 640 * MiB}};
  node.look(700 * MiB, 200 * MiB);
  ASSERT_EQ(node.budget.in_force(), 300 * MiB);
  EXPECT_EQ(node.look_for(quiet - 1, 0), 300 * MiB);
  EXPECT_EQ(node.look_for(2, 0), 640 * MiB);
}

TEST(MemoryBudget, GrowsOnlyAsFarAsTheWholeWhileHadRoom) {
  Node node{{.cap_bytes = 640 * MiB}};
  node.look(700 * MiB, 0);
  node.look_for(5, 0);
  node.look(600 * MiB, 0);  // room for 400 once in the while
  EXPECT_EQ(node.look_for(quiet - 5, 0), 400 * MiB);
  EXPECT_EQ(node.look_for(quiet + 1, 0), 640 * MiB);
}

TEST(MemoryBudget, DoesNotGrowByAStepThatIsNotWorthANewPlan) {
  Node node{{.cap_bytes = 640 * MiB}};
  node.look(500 * MiB, 0);
  ASSERT_EQ(node.budget.in_force(), 500 * MiB);
  EXPECT_EQ(node.look_for(100, 480 * MiB), 500 * MiB) << "4 % more";
  EXPECT_EQ(node.look_for(100, 470 * MiB), 530 * MiB);
  EXPECT_EQ(node.look_for(100, 400 * MiB), 600 * MiB);
  EXPECT_EQ(node.look_for(100, 370 * MiB), 630 * MiB) << "5 %";
  EXPECT_EQ(node.look_for(100, 0), 640 * MiB) << "all of it is always worth it";
}

TEST(MemoryBudget, StaysAtItsFloorAndSaysWhatIsMissing) {
  Node node{{.cap_bytes = 640 * MiB, .floor_bytes = 100 * MiB}};
  EXPECT_EQ(node.look(970 * MiB, 0), 100 * MiB);
  EXPECT_EQ(node.budget.missing_bytes(), 70 * MiB);
  node.budget.set_terms({.cap_bytes = 50 * MiB, .floor_bytes = 100 * MiB});
  EXPECT_EQ(node.budget.in_force(), 50 * MiB) << "the cap wins";
}

TEST(MemoryBudget, TakesANewCapAtOnce) {
  Node node{{.cap_bytes = 640 * MiB}};
  node.budget.set_terms({.cap_bytes = 320 * MiB});
  EXPECT_EQ(node.budget.in_force(), 320 * MiB) << "before the first look too";
  node.look_for(3, 400 * MiB, 100 * MiB);
  EXPECT_EQ(node.budget.in_force(), 320 * MiB);
  node.budget.set_terms({.cap_bytes = 800 * MiB});
  EXPECT_EQ(node.budget.in_force(), 600 * MiB) << "as far as there is room";
  node.budget.set_terms({.cap_bytes = 100 * MiB});
  EXPECT_EQ(node.budget.in_force(), 100 * MiB);
  EXPECT_EQ(node.look_for(100, 0), 100 * MiB);
}

TEST(MemoryBudget, DoesNotTakeItsOwnUseForSomebodyElses) {
  Node node{{.cap_bytes = 640 * MiB}};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(node.look(400 * MiB, static_cast<std::uint64_t>(i % 7) * 90 * MiB), 600 * MiB);
  }
}

TEST(MemoryBudget, SharesAmongWorkersWhatStrangersLeave) {
  MemoryBudget budget{{.cap_bytes = 500 * MiB, .workers = 2}};
  MemorySeen seen{.time_s = 1,
                  .limit_bytes = 1000 * MiB,
                  .used_bytes = 800 * MiB,
                  .used_by_us_bytes = 100 * MiB,
                  .used_by_workers_bytes = 800 * MiB};
  EXPECT_EQ(budget.look(seen), 500 * MiB) << "the other worker uses 700, but that is no stranger";
  seen.used_bytes = 950 * MiB;
  EXPECT_EQ(budget.look(seen) / MiB, 421U) << "half of 850, in steps of 7.8";
  seen.used_by_workers_bytes.reset();
  EXPECT_EQ(budget.look(seen) / MiB, 125U) << "our 100, and half of the 50 that are free";
}

/// Workers that see only their own use, each greedy for what it may take: together they fit, and none starves.
TEST(MemoryBudget, WorkersThatKnowOnlyTheirOwnUseFitTogether) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 dice{seed};
    const int workers = 2 + static_cast<int>(dice() % 6);
    const std::uint64_t cap = (200 + dice() % 800) * MiB;
    std::vector<MemoryBudget> budgets(static_cast<std::size_t>(workers),
                                      MemoryBudget{{.cap_bytes = cap, .workers = workers}});
    std::vector<std::uint64_t> used(budgets.size(), 0);
    const std::uint64_t strangers = dice() % 600 * MiB;
    std::uint64_t all = strangers;
    for (int second = 1; second <= 400; ++second) {
      std::uint64_t sum = strangers;
      for (std::size_t i = 0; i < budgets.size(); ++i) {
        used[i] = budgets[i].look({.time_s = static_cast<double>(second),
                                   .limit_bytes = 1000 * MiB,
                                   .used_bytes = all,
                                   .used_by_us_bytes = used[i],
                                   .used_by_workers_bytes = std::nullopt});
        sum += used[i];
      }
      all = sum;
      EXPECT_LE(all, 1000 * MiB);
    }
    const std::uint64_t fair = std::min(cap, (1000 * MiB - strangers) / static_cast<std::uint64_t>(workers));
    EXPECT_GE(*std::min_element(used.begin(), used.end()), fair - fair / 5);
  }
}

/// A neighbour that walks at random, with leaps: what always holds, look by look.
TEST(MemoryBudget, HoldsItsPromisesBesideANeighbourThatMovesAtRandom) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 dice{seed};
    MemoryTerms terms{
        .cap_bytes = (100 + dice() % 900) * MiB, .leave_bytes = dice() % 200 * MiB, .floor_bytes = dice() % 150 * MiB};
    Node node{terms};
    auto strangers = static_cast<std::int64_t>(dice() % 500);
    for (int second = 0; second < 1000; ++second) {
      if (dice() % 100 == 0) {
        strangers = static_cast<std::int64_t>(dice() % 1200);  // MiB; more than there is: others swap
      } else {
        strangers = std::clamp<std::int64_t>(strangers + static_cast<std::int64_t>(dice() % 41) - 20, 0, 1200);
      }
      if (dice() % 200 == 0) {
        terms.cap_bytes = (100 + dice() % 900) * MiB;
        node.budget.set_terms(terms);
      }
      const std::uint64_t others = static_cast<std::uint64_t>(strangers) * MiB;
      const std::uint64_t in_force = node.look(others, dice() % 300 * MiB);
      const std::uint64_t taken = others + terms.leave_bytes;
      const std::uint64_t room = taken < 1000 * MiB ? 1000 * MiB - taken : 0;
      const std::uint64_t floor = std::min(terms.floor_bytes, terms.cap_bytes);
      ASSERT_LE(in_force, terms.cap_bytes);
      ASSERT_GE(in_force, floor);
      ASSERT_LE(in_force, std::max(room, floor)) << "it shrinks within one look";
      ASSERT_EQ(node.budget.missing_bytes(), floor > room ? floor - room : 0);
    }
    terms.leave_bytes = 0;
    node.budget.set_terms(terms);
    EXPECT_EQ(node.look_for(static_cast<int>(MemoryBudget::quiet_most_s) + 1, 0), terms.cap_bytes) << "it grows back";
  }
}

TEST(MemoryBudget, DoesNotFlapBesideANoisyNeighbour) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 dice{seed};
    Node node{{.cap_bytes = 640 * MiB}};
    const std::uint64_t middle = (300 + dice() % 300) * MiB;
    const std::uint64_t noise = 1 + dice() % 200;  // up to a third of the cap, up and down
    int changes = 0;
    for (int second = 0; second < 3600; ++second) {
      const std::uint64_t before = node.budget.in_force();
      changes += node.look(middle + dice() % noise * MiB, dice() % 200 * MiB) != before ? 1 : 0;
    }
    EXPECT_LE(changes, 60) << "one a minute";
  }
}

TEST(MemoryBudget, DoesNotFollowANeighbourThatComesAndGoes) {
  for (const int period : {11, 13, 20, 25, 40}) {
    SCOPED_TRACE("every " + std::to_string(period) + " s");
    Node node{{.cap_bytes = 640 * MiB}};
    int changes = 0;
    for (int second = 0; second < 3600; ++second) {
      const std::uint64_t before = node.budget.in_force();
      changes += node.look(second % period == 0 ? 900 * MiB : 0, 0) != before ? 1 : 0;
    }
    EXPECT_LE(changes, 16);
  }
}

TEST(MemoryBudget, DoesNotTakeAPauseForQuiet) {
  Node node{{.cap_bytes = 640 * MiB}};
  node.look(700 * MiB, 0);
  node.time_s += 1000;  // stopped
  EXPECT_EQ(node.look(0, 0), 300 * MiB);
  EXPECT_EQ(node.look_for(quiet + 1, 0), 640 * MiB);
}

}  // namespace
}  // namespace pantile
