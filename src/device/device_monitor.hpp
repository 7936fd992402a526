#pragma once
// Who uses how much of a device's memory now. To be asked each second or so; plan/memory_budget decides what follows.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace pantile {

/// One look at a device. Bytes.
struct MemorySample {
  std::uint64_t limit_bytes = 0;  ///< what all who use it may have together
  std::uint64_t used_bytes =
      0;                       ///< by all, ourselves included; page cache does not count, it goes when memory is short
  std::optional<double> busy;  ///< share of the time that it computed, lately; only a GPU tells
  std::string source;          ///< who says so: "cgroup /sys/fs/cgroup/…", "/proc/meminfo", "NVML"
};

/// One device, looked at from outside. Not thread-safe: one thread asks.
class DeviceMonitor {
 public:
  virtual ~DeviceMonitor() = default;
  /// Nothing if it cannot be told now.
  [[nodiscard]] virtual std::optional<MemorySample> sample() = 0;
};

/// The memory of this machine, or of the control group on the way up (v2 or v1) that leaves the least. Half a
/// millisecond a look. `root` is an argument for the tests' sake.
[[nodiscard]] std::unique_ptr<DeviceMonitor> host_monitor(const std::filesystem::path& root = "/");

}  // namespace pantile
