#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/byte_size.hpp"
#include "base/temp_folder.hpp"
#include "device/cpu.hpp"
#include "device/device_monitor.hpp"
#include "device/metered_buffer.hpp"
#include "device/process_memory.hpp"
#include "device/sanitizer.hpp"

namespace pantile {
namespace {

namespace fs = std::filesystem;

/// A machine of 8 GiB made of files, 2 GiB of which are in use.
class HostMonitor : public ::testing::Test {
 protected:
  void SetUp() override { write("proc/meminfo", meminfo); }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_.path() / file).parent_path());
    std::ofstream{root_.path() / file} << text;
  }
  [[nodiscard]] MemorySample sample() const { return host_monitor(root_.path())->sample().value(); }

  static constexpr const char* meminfo = "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 6291456 kB\n";
  testing::TempFolder root_;
};

TEST_F(HostMonitor, TellsOfTheMachineWhereNoGroupIsLimited) {
  write("proc/self/cgroup", "0::/user.slice\n");
  write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.current", "1000\n");
  EXPECT_EQ(sample().limit_bytes, 8 * GiB);
  EXPECT_EQ(sample().used_bytes, 2 * GiB);
  EXPECT_EQ(sample().source, "/proc/meminfo");
}

TEST_F(HostMonitor, DoesNotCountFreedPagesThatLieInLists) {
  write("proc/zoneinfo",
        "Node 0, zone   Normal\n  pages free     7\n      nr_free_pages 7\n  pagesets\n    cpu: 0\n"
        "              count:    100\n              high:     106\n    cpu: 1\n              count:    28\n");
  EXPECT_EQ(sample().used_bytes, 2 * GiB - 128 * page_bytes());
}

TEST_F(HostMonitor, TellsOfTheGroupThatLeavesTheLeast) {
  write("proc/self/cgroup", "0::/slurm/job_1/step_0\n");
  write("sys/fs/cgroup/slurm/job_1/memory.max", "4294967296\n");  // 4 GiB, 1 in use
  write("sys/fs/cgroup/slurm/job_1/memory.current", "1073741824\n");
  write("sys/fs/cgroup/slurm/job_1/step_0/memory.max", "max\n");
  EXPECT_EQ(sample().limit_bytes, 4 * GiB);
  EXPECT_EQ(sample().used_bytes, GiB);
  // A larger limit, of which other jobs have taken more.
  write("sys/fs/cgroup/slurm/memory.max", "6442450944\n");
  write("sys/fs/cgroup/slurm/memory.current", "5368709120\n");
  EXPECT_EQ(sample().limit_bytes, 6 * GiB);
  EXPECT_EQ(sample().used_bytes, 5 * GiB);
  EXPECT_NE(sample().source.find("cgroup/slurm"), std::string::npos);
  // And the machine itself, when that is fullest.
  write("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 524288 kB\n");
  EXPECT_EQ(sample().limit_bytes, 8 * GiB);
  EXPECT_EQ(sample().used_bytes, 8 * GiB - 512 * MiB);
}

TEST_F(HostMonitor, DoesNotCountWhatTheKernelTakesBackByItself) {
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "1073741824\n");
  write("sys/fs/cgroup/job/memory.current", "943718400\n");  // 900 MiB
  write("sys/fs/cgroup/job/memory.stat",
        "anon 1\nfile 629145600\nshmem 104857600\ninactive_file 314572800\nactive_file 209715200\n"
        "slab_reclaimable 52428800\nslab_unreclaimable 7\n");
  EXPECT_EQ(sample().used_bytes, 350 * MiB)
      << "300 + 200 of files and 50 of names of files are no need; shared memory is";
}

TEST_F(HostMonitor, ReadsTheFirstVersionOfGroupsToo) {
  write("proc/self/cgroup", "11:cpu,cpuacct:/a\n7:memory:/docker/abc\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "3221225472\n");
  write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
  write("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "629145600\n");
  write("sys/fs/cgroup/memory/docker/abc/memory.stat",
        "inactive_file 5\ntotal_inactive_file 104857600\ntotal_active_file 104857600\n");
  EXPECT_EQ(sample().limit_bytes, GiB);
  EXPECT_EQ(sample().used_bytes, 400 * MiB);
}

TEST_F(HostMonitor, TellsNothingWhereNobodyDoes) {
  fs::remove(root_.path() / "proc/meminfo");
  EXPECT_FALSE(host_monitor(root_.path())->sample().has_value());
}

TEST(HostMonitorHere, SeesWhatWeTake) {
  const auto monitor = host_monitor();
  const MemorySample before = monitor->sample().value();
  EXPECT_GE(before.limit_bytes, host_memory_limit("/", nullptr).bytes) << "the strictest limit is the lowest";
  EXPECT_GT(before.used_bytes, 0U);
  EXPECT_LT(before.used_bytes, before.limit_bytes);
  if (testing::has_shadow_memory) {
    return;
  }
  // Other programs come and go, some with hundreds of megabytes: one look of ten that shows ours is enough.
  bool is_seen = false;
  for (int attempt = 0; attempt < 10 && !is_seen; ++attempt) {
    const std::uint64_t without = monitor->sample().value().used_bytes;
    Meter meter;
    MeteredBuffer buffer{meter, 256 * MiB};
    std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{1});
    const std::uint64_t with = monitor->sample().value().used_bytes;
    is_seen = with > without + 224 * MiB && with < without + 288 * MiB;
  }
  EXPECT_TRUE(is_seen);
}

}  // namespace
}  // namespace pantile
