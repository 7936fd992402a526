#pragma once
// The memory of one device, as the device itself gives it out. Nothing is counted here: that is the meter's part
// (device/meter.hpp), and device/device_pool.hpp joins the two.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "device/device_monitor.hpp"

namespace pantile {

/// Thread-safe, but for host code only: what is allocated may be out of the host's reach.
class Device {
 public:
  virtual ~Device() = default;

  [[nodiscard]] virtual std::string name() const = 0;  ///< "NVIDIA H200"
  /// Devices of one class give the same bits: "cpu:avx512", "cuda:9.0".
  [[nodiscard]] virtual std::string device_class() const = 0;
  /// Tells it from all others, as far as it can be told: "GPU-…"; may be empty.
  [[nodiscard]] virtual std::string uuid() const { return {}; }
  [[nodiscard]] virtual std::uint64_t total_bytes() const = 0;
  /// What nobody has taken, now.
  [[nodiscard]] virtual std::uint64_t free_bytes() const = 0;

  /// nullptr if the device has not got so much. Aligned to 256 bytes at least.
  [[nodiscard]] virtual void* try_allocate(std::size_t bytes) noexcept = 0;
  /// Waits until the device no longer works on it. `bytes` as allocated.
  virtual void deallocate(void* block, std::size_t bytes) noexcept = 0;
};

/// The memory of this machine, as far as it may be used.
[[nodiscard]] std::unique_ptr<Device> host_device();

/// Looks at a device through its own figures, where nothing better does. The device must outlive it.
[[nodiscard]] std::unique_ptr<DeviceMonitor> monitor_of(const Device& device);

}  // namespace pantile
