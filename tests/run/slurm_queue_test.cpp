#include "run/slurm_queue.hpp"

#include <gtest/gtest.h>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(SlurmQueue, IsReadFromWhatSinfoPrints) {
  const auto queues = parse_queues(
      "main*|3|2|1024|gpu:fake:2|infinite|up|1-infinite|idle\n"
      "urgent|3|2|1024|(null)|1-00:00:00|up|1-2|mix\n");
  ASSERT_EQ(queues.size(), 2);
  EXPECT_EQ(queues[0].name, "main");
  EXPECT_TRUE(queues[0].is_default);
  EXPECT_EQ(queues[0].nodes.count, 3);
  EXPECT_EQ(queues[0].nodes.cores, 2);
  EXPECT_EQ(queues[0].nodes.memory_bytes, GiB);
  EXPECT_EQ(queues[0].nodes.gpus, 2);
  EXPECT_EQ(queues[0].nodes.longest, std::nullopt);
  EXPECT_EQ(queues[0].most.time, std::nullopt);
  EXPECT_FALSE(queues[1].is_default);
  EXPECT_EQ(queues[1].nodes.gpus, 0);
  EXPECT_EQ(queues[1].nodes.longest, hours{24});
  EXPECT_EQ(queues[1].most.time, hours{24});
  EXPECT_EQ(queues[1].nodes.count, 2) << "no job gets more";
  EXPECT_EQ(queues[1].most.nodes, 2);
}

TEST(SlurmQueue, OfSeveralKindsOfNodesCountsTheWeakestThatIsUp) {
  const auto queues = parse_queues(
      "long|10|64|256000|gpu:a100:4(S:0-1),nvme:1|7-00:00:00|up|1-infinite|alloc\n"
      "long|2|16|64000|gpu:2|7-00:00:00|up|1-infinite|idle~\n"
      "long|3|8|32000|(null)|7-00:00:00|up|1-infinite|down*\n"
      "long|1|8|32000|gpu:8|7-00:00:00|up|1-infinite|drng\n"
      "broken|9|64|256000|(null)|infinite|down|1-infinite|idle\n"
      "a line of something else\n");
  ASSERT_EQ(queues.size(), 1);
  EXPECT_EQ(queues[0].nodes.count, 12);
  EXPECT_EQ(queues[0].nodes.cores, 16);
  EXPECT_EQ(queues[0].nodes.memory_bytes, 64000 * MiB);
  EXPECT_EQ(queues[0].nodes.gpus, 2);
  EXPECT_EQ(queues[0].most.nodes, 16) << "those that are down may come back";
  EXPECT_EQ(queues[0].most.cores, 64);
  EXPECT_EQ(queues[0].most.memory_bytes, 256000 * MiB);
  EXPECT_EQ(queues[0].most.gpus, 8);
}

TEST(SlurmQueue, OfNodesThatAreAllDownCountsThemAll) {
  const auto queues = parse_queues("main*|3|4|8000|(null)|infinite|up|1-infinite|down*\n");
  ASSERT_EQ(queues.size(), 1);
  EXPECT_EQ(queues[0].nodes.count, 3);
  EXPECT_EQ(queues[0].nodes.cores, 4);
}

TEST(SlurmQueue, KnowsNoLimitWhereNobodyTells) {
  const auto queues = parse_queues("main*|6|8+|1|(null)|infinite|up|1-infinite|idle\n");
  ASSERT_EQ(queues.size(), 1);
  EXPECT_EQ(queues[0].nodes.memory_bytes, 0) << "RealMemory is not configured";
  EXPECT_EQ(queues[0].most.memory_bytes, std::nullopt);
  EXPECT_EQ(queues[0].most.cores, std::nullopt) << "some have more";
}

TEST(SlurmQueue, OfNothingIsNothing) { EXPECT_TRUE(parse_queues("").empty()); }

TEST(SlurmTime, IsReadAndWrittenAsSlurmDoes) {
  EXPECT_EQ(parse_slurm_time("30:00"), minutes{30});
  EXPECT_EQ(parse_slurm_time("2:30:00"), minutes{150});
  EXPECT_EQ(parse_slurm_time("90"), minutes{90});
  EXPECT_EQ(parse_slurm_time("1-12"), hours{36});
  EXPECT_EQ(parse_slurm_time("1-12:30:10"), hours{36} + minutes{30} + seconds{10});
  EXPECT_EQ(parse_slurm_time("infinite"), std::nullopt);
  EXPECT_EQ(parse_slurm_time("n/a"), std::nullopt);
  EXPECT_EQ(slurm_time(minutes{150}), "02:30:00");
  EXPECT_EQ(slurm_time(hours{36}), "1-12:00:00");
  for (const seconds time : {seconds{61}, seconds{3599}, seconds{86'399}, seconds{1'000'000}}) {
    EXPECT_EQ(parse_slurm_time(slurm_time(time)), time);
  }
}

}  // namespace
}  // namespace pantile
