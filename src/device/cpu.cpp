#include "device/cpu.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "device/cgroup.hpp"

namespace pantile {

namespace fs = std::filesystem;

namespace {

void apply_cgroup_limits(const fs::path& root, MemoryLimit& limit) {
  each_cgroup_folder(root, "memory", [&](const fs::path& folder, CgroupVersion version) {
    const fs::path file = folder / (version == CgroupVersion::second ? "memory.max" : "memory.limit_in_bytes");
    // Version 1 writes "no limit" as a number larger than any memory, which never is the strictest.
    if (const auto bytes = read_number(file); bytes && *bytes > 0 && *bytes < limit.bytes) {
      limit = {*bytes, "cgroup " + file.string()};
    }
  });
}

/// "150000 100000" of cpu.max as 1.5; nothing for "max 100000".
std::optional<double> read_quota(const fs::path& folder) {
  std::ifstream file{folder / "cpu.max"};
  std::string quota;
  double period = 0;
  const bool read = static_cast<bool>(file >> quota >> period);
  const auto microseconds = read ? leading_number(quota) : read_number(folder / "cpu.cfs_quota_us");  // -1: no limit
  if (!read) {
    period = static_cast<double>(read_number(folder / "cpu.cfs_period_us").value_or(0));
  }
  return microseconds && period > 0 ? std::optional{static_cast<double>(*microseconds) / period} : std::nullopt;
}

std::uint64_t total_memory(const fs::path& root) {
  const auto info = read_numbers(root / "proc/meminfo");
  if (const auto total = info.find("MemTotal:"); total != info.end()) {
    return total->second * KiB;
  }
  throw Error{(root / "proc/meminfo").string() +
              " does not tell MemTotal (memory caps in per cent need it). Is /proc mounted?"};
}

}  // namespace

std::string cpu_device_class() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The sets that MLAS asks for before it takes its AVX-512 and its FMA3 kernels.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return "cpu:avx512";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return "cpu:avx2";
  }
#endif
  return "cpu:base";
}

std::vector<int> usable_core_numbers() {
  struct FreeSet {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
  };
  // Machines with more than 1024 cores need a larger set than cpu_set_t: the call says so with EINVAL.
  for (int size = 1024; size <= 1 << 20; size *= 2) {
    const std::unique_ptr<cpu_set_t, FreeSet> set{CPU_ALLOC(static_cast<std::size_t>(size))};
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    CPU_ZERO_S(bytes, set.get());
    if (::sched_getaffinity(0, bytes, set.get()) != 0) {
      continue;
    }
    std::vector<int> numbers;
    for (int core = 0; core < size; ++core) {
      if (CPU_ISSET_S(static_cast<std::size_t>(core), bytes, set.get())) {
        numbers.push_back(core);
      }
    }
    return numbers;
  }
  return {0};
}

int usable_cores() { return std::max(1, static_cast<int>(usable_core_numbers().size())); }

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  each_cgroup_folder(root, "cpu", [&](const fs::path& folder, CgroupVersion) {
    if (const std::optional<double> quota = read_quota(folder); quota && (!least || *quota < *least)) {
      least = quota;
    }
  });
  return least;
}

MemoryLimit host_memory_limit(const fs::path& root, const char* slurm_mem_per_node) {
  MemoryLimit limit{total_memory(root), "MemTotal"};
  apply_cgroup_limits(root, limit);
  const auto mebibytes = slurm_mem_per_node != nullptr ? leading_number(slurm_mem_per_node) : std::nullopt;
  if (mebibytes && *mebibytes > 0 && *mebibytes < limit.bytes / MiB) {  // 0: all of the node
    return {*mebibytes * MiB, "SLURM_MEM_PER_NODE"};
  }
  return limit;
}

MemoryLimit host_memory_limit() { return host_memory_limit("/", std::getenv("SLURM_MEM_PER_NODE")); }

}  // namespace pantile
