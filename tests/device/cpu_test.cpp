#include "device/cpu.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile {
namespace {

namespace fs = std::filesystem;

/// A machine of 8 GiB made of files.
class HostMemoryLimit : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path{::testing::TempDir()} / ("host-" + std::to_string(::getpid()) + "-" +
                                              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    write("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:  1 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream{root_ / file} << text;
  }
  [[nodiscard]] MemoryLimit limit(const char* slurm = nullptr) const { return host_memory_limit(root_, slurm); }

  fs::path root_;
};

TEST_F(HostMemoryLimit, IsTheMachinesMemoryWhereNobodyLimitsIt) {
  EXPECT_EQ(limit().bytes, 8 * GiB);
  EXPECT_EQ(limit().source, "MemTotal");
  write("proc/self/cgroup", "0::/user.slice\n");
  write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  EXPECT_EQ(limit().source, "MemTotal");
}

TEST_F(HostMemoryLimit, HasAQuotaOfCoresBesideIt) {
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
  write("proc/self/cgroup", "0::/docker/one\n");
  write("sys/fs/cgroup/docker/one/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
  write("sys/fs/cgroup/docker/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_quota(root_), 1.5) << "the strictest on the way up";
  write("proc/self/cgroup", "4:memory:/\n3:cpu,cpuacct:/job\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
  write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
  write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(root_), 0.5);
}

TEST_F(HostMemoryLimit, IsTheStrictestCgroupOnTheWayUp) {
  write("proc/self/cgroup", "0::/slurm/job_1/step_0\n");
  write("sys/fs/cgroup/slurm/memory.max", "3221225472\n");
  write("sys/fs/cgroup/slurm/job_1/memory.max", "2147483648\n");
  write("sys/fs/cgroup/slurm/job_1/step_0/memory.max", "max\n");
  EXPECT_EQ(limit().bytes, 2 * GiB);
  EXPECT_NE(limit().source.find("slurm/job_1/memory.max"), std::string::npos);
}

TEST_F(HostMemoryLimit, ReadsTheFirstVersionOfCgroupsToo) {
  write("proc/self/cgroup", "11:cpu,cpuacct:/a\n7:memory:/docker/abc\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(limit().bytes, GiB);
}

TEST_F(HostMemoryLimit, FindsTheLimitOfAContainerThatSeesItsOwnRootOnly) {
  write("proc/self/cgroup", "0::/../../outside\n");
  write("sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(limit().bytes, GiB);
}

TEST_F(HostMemoryLimit, IsTheLeastOfWhatIsSaid) {
  EXPECT_EQ(limit("4096").bytes, 4 * GiB);
  EXPECT_EQ(limit("4096").source, "SLURM_MEM_PER_NODE");
  EXPECT_EQ(limit("0").source, "MemTotal") << "0 means all of the node";
  EXPECT_EQ(limit("rubbish").source, "MemTotal");
  EXPECT_EQ(limit("99999999").source, "MemTotal") << "more than there is";
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "1073741824\n");
  EXPECT_EQ(limit("4096").bytes, GiB);
  EXPECT_EQ(limit("512").bytes, 512 * MiB) << "a limit of all jobs together says nothing of this one";
  EXPECT_EQ(limit("512").source, "SLURM_MEM_PER_NODE");
}

TEST_F(HostMemoryLimit, SaysSoIfThereIsNoProc) {
  fs::remove_all(root_ / "proc");
  EXPECT_THROW((void)limit(), Error);
}

TEST(Cpu, KnowsThisMachine) {
  EXPECT_TRUE(cpu_device_class().starts_with("cpu:"));
  EXPECT_GE(usable_cores(), 1);
  EXPECT_GT(host_memory_limit().bytes, 16 * MiB);
}

TEST(Cpu, CountsTheCoresThatWeWereGivenAndNotThoseOfTheMachine) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) {
    ++first;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cores(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(usable_cores(), CPU_COUNT(&before));
}

}  // namespace
}  // namespace pantile
