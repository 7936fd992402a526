#include "run/slurm_queue.hpp"

#include <gtest/gtest.h>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(SlurmQueue, IsReadFromWhatSinfoPrints) {
  const auto queues = parse_queues("main*|3|2|1024|gpu:fake:2|infinite|up\nurgent|3|2|1024|(null)|1-00:00:00|up\n");
  ASSERT_EQ(queues.size(), 2);
  EXPECT_EQ(queues[0].name, "main");
  EXPECT_TRUE(queues[0].is_default);
  EXPECT_EQ(queues[0].nodes.count, 3);
  EXPECT_EQ(queues[0].nodes.cores, 2);
  EXPECT_EQ(queues[0].nodes.memory_bytes, GiB);
  EXPECT_EQ(queues[0].nodes.gpus, 2);
  EXPECT_EQ(queues[0].nodes.longest, std::nullopt);
  EXPECT_FALSE(queues[1].is_default);
  EXPECT_EQ(queues[1].nodes.gpus, 0);
  EXPECT_EQ(queues[1].nodes.longest, hours{24});
}

TEST(SlurmQueue, OfSeveralKindsOfNodesCountsTheWeakest) {
  const auto queues = parse_queues(
      "long|10|64+|256000+|gpu:a100:4(S:0-1),nvme:1|7-00:00:00|up\n"
      "long|2|16|64000|gpu:2|7-00:00:00|up\n"
      "broken|9|64|256000|(null)|infinite|down\n"
      "a line of something else\n");
  ASSERT_EQ(queues.size(), 1);
  EXPECT_EQ(queues[0].nodes.count, 12);
  EXPECT_EQ(queues[0].nodes.cores, 16);
  EXPECT_EQ(queues[0].nodes.memory_bytes, 64000 * MiB);
  EXPECT_EQ(queues[0].nodes.gpus, 2);
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
