#pragma once
// What this process may use of its machine: the instruction set, the cores, the memory.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pantile {

/// "cpu:avx512", "cpu:avx2" or "cpu:base". Results are equal bit by bit on CPU devices of one class: the class names
/// the kernels that ONNX Runtime's MLAS picks, and those differ in the order of their sums.
[[nodiscard]] std::string cpu_device_class();

/// Numbers of the cores in our cpuset, in order: what taskset, Slurm and containers left us, not what the machine has.
/// {0} if nobody tells.
[[nodiscard]] std::vector<int> usable_core_numbers();
/// How many they are.
[[nodiscard]] int usable_cores();

/// Cores' worth of time that the cgroup gives (v2 or v1, the strictest on the way up): 1.5 of `docker run --cpus 1.5`.
/// Nothing if there is no limit. `root` is an argument for the tests' sake.
[[nodiscard]] std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

/// How much memory this process may use, and who says so.
struct MemoryLimit {
  std::uint64_t bytes = 0;
  std::string source;  ///< "cgroup /sys/fs/cgroup/…/memory.max", "SLURM_MEM_PER_NODE", "MemTotal"
};

/// The least of the cgroup's limit (v2 or v1, the strictest on the way up), SLURM_MEM_PER_NODE (MiB) and the machine's
/// memory. `root` and `slurm_mem_per_node` are arguments for the tests' sake; nullptr means not set. Throws Error if
/// /proc is not there.
[[nodiscard]] MemoryLimit host_memory_limit(const std::filesystem::path& root, const char* slurm_mem_per_node);
[[nodiscard]] MemoryLimit host_memory_limit();

}  // namespace pantile
