#include "plan/allotment.hpp"

#include <gtest/gtest.h>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr QueueNodes queue{.count = 16, .cores = 32, .memory_bytes = 128 * GiB, .gpus = 4, .longest = hours{24}};
/// 100 hours of one core, of 10,000 items.
constexpr Demand demand{.core_s_likely = 360'000,
                        .core_s_high = 432'000,
                        .fixed_s = 1,
                        .items = 10'000,
                        .rank_bytes = 200 * MiB,
                        .lane_bytes = 20 * MiB};

TEST(Allotment, IsTheFewestNodesThatAreDoneInTime) {
  const Allotment allotted = allot(demand, queue, {});
  EXPECT_EQ(allotted.nodes, 4) << "3.125 nodes of 32 cores for an hour";
  EXPECT_LE(allotted.likely_s, 3600);
  EXPECT_GT(allot(demand, queue, {.nodes = 3}).likely_s, 3600);
  EXPECT_EQ(allotted.tasks_per_node, 2);
  EXPECT_EQ(allotted.cores_per_task, 16);
}

TEST(Allotment, HasTimeForWhatAPredictionMayMiss) {
  const Allotment allotted = allot(demand, queue, {});
  EXPECT_EQ(allotted.time % minutes{5}, seconds{0});
  EXPECT_GE(static_cast<double>(allotted.time.count()), 1.5 * 432'000 / 128);
  EXPECT_EQ(allotted.slices, 1);
  EXPECT_EQ(allot({.core_s_likely = 1, .core_s_high = 1, .items = 1}, queue, {}).time, minutes{10});
}

TEST(Allotment, IsSlicedWhereNoJobMayTakeSoLong) {
  QueueNodes short_queue = queue;
  short_queue.longest = minutes{30};
  short_queue.count = 1;
  const Allotment allotted = allot(demand, short_queue, {});
  EXPECT_EQ(allotted.time, minutes{30});
  EXPECT_EQ(allotted.slices, 7) << "11,251 s in jobs of 1,800 s";
}

TEST(Allotment, TakesNoMoreNodesThanThereAreOrThanThereAreItems) {
  EXPECT_EQ(allot(demand, queue, {.within = seconds{60}}).nodes, 16);
  Demand few = demand;
  few.items = 3;
  EXPECT_EQ(allot(few, queue, {.within = seconds{60}}).nodes, 3);
  EXPECT_EQ(allot(demand, queue, {.within = seconds{1}}).nodes, 16) << "less than the start takes";
}

TEST(Allotment, AsksForTheMemoryThatRanksPlanWithAndNoMoreThanANodeHas) {
  const Allotment allotted = allot(demand, queue, {});
  const std::uint64_t ranks = 2 * (200 * MiB + 16 * 20 * MiB);
  EXPECT_GT(allotted.memory_bytes * 8 / 10, ranks) << "80 % of it is the cap";
  EXPECT_LT(allotted.memory_bytes, 4 * GiB);
  QueueNodes small = queue;
  small.memory_bytes = GiB;
  EXPECT_EQ(allot(demand, small, {}).memory_bytes, GiB);
  small.memory_bytes = 0;
  EXPECT_EQ(allot(demand, small, {}).memory_bytes, 0U) << "nobody knows what a node has: none is asked for";
}

TEST(Allotment, DoesAsItIsTold) {
  const Allotment allotted = allot(demand, queue,
                                   {.nodes = 7,
                                    .tasks_per_node = 5,
                                    .cores_per_task = 6,
                                    .memory_bytes = 3 * GiB,
                                    .time = hours{9},
                                    .gpus_per_node = 4});
  EXPECT_EQ(allotted.nodes, 7);
  EXPECT_EQ(allotted.tasks_per_node, 5);
  EXPECT_EQ(allotted.cores_per_task, 6);
  EXPECT_EQ(allotted.memory_bytes, 3 * GiB);
  EXPECT_EQ(allotted.time, hours{9});
  EXPECT_EQ(allotted.gpus_per_node, 4);
}

TEST(Allotment, HasARankForEachGpuAndOneThatCoordinates) {
  const Allotment allotted = allot(demand, queue, {.gpus_per_node = 4});
  EXPECT_EQ(allotted.tasks_per_node, 5);
  EXPECT_EQ(allotted.cores_per_task, 6);
}

TEST(Allotment, OfAnArrayIsOneProcessOnANodeForEachPart) {
  const Allotment allotted = allot(demand, queue, {.parts = 10});
  EXPECT_EQ(allotted.nodes, 1);
  EXPECT_EQ(allotted.tasks_per_node, 1);
  EXPECT_EQ(allotted.cores_per_task, 32);
  EXPECT_NEAR(allotted.likely_s, 1 + 36'000.0 / 32, 1);
}

TEST(Allotment, OfWhatNoJobGetsIsInVain) {
  constexpr QueueLimits most{.nodes = 16, .cores = 32, .memory_bytes = 128 * GiB, .gpus = 4, .time = hours{24}};
  const auto why = [&](const Wishes& wishes) { return why_in_vain(allot(demand, queue, wishes), most).value_or(""); };
  EXPECT_EQ(why({}), "");
  EXPECT_EQ(why({.nodes = 16, .tasks_per_node = 2, .cores_per_task = 16, .memory_bytes = 128 * GiB, .time = hours{24}}),
            "");
  EXPECT_EQ(why({.nodes = 17}), "17 nodes are asked for, and a job gets no more than 16");
  EXPECT_EQ(why({.cores_per_task = 17}), "34 cores a node are asked for, and no node has more than 32");
  EXPECT_EQ(why({.gpus_per_node = 5}), "5 GPUs a node are asked for, and no node has more than 4");
  EXPECT_EQ(why({.memory_bytes = 129 * GiB}), "132096 MiB a node are asked for, and no node has more than 131072");
  EXPECT_EQ(why({.time = hours{24} + seconds{1}}), "1441 minutes are asked for, and a job gets no more than 1440");
  EXPECT_NE(why({.time = minutes{4}}).find("would stop as it starts"), std::string::npos);
  EXPECT_EQ(why_in_vain(allot(demand, queue, {.nodes = 99, .cores_per_task = 99, .time = hours{99}}), {}),
            std::nullopt);
}

TEST(Allotment, OfANodeWithOneCoreIsOneRank) {
  QueueNodes tiny = queue;
  tiny.cores = 1;
  const Allotment allotted = allot(demand, tiny, {});
  EXPECT_EQ(allotted.tasks_per_node, 1);
  EXPECT_EQ(allotted.cores_per_task, 1);
}

}  // namespace
}  // namespace pantile
