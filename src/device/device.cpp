#include "device/device.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include "device/cpu.hpp"
#include "device/process_memory.hpp"

namespace pantile {
namespace {

class HostDevice : public Device {
 public:
  [[nodiscard]] std::string name() const override { return "host"; }
  [[nodiscard]] std::string device_class() const override { return cpu_device_class(); }
  [[nodiscard]] std::uint64_t total_bytes() const override { return limit_; }
  [[nodiscard]] std::uint64_t free_bytes() const override {
    const std::optional<MemorySample> sample = host_monitor()->sample();
    return sample ? std::min(limit_, sample->limit_bytes - sample->used_bytes) : 0;
  }

  [[nodiscard]] void* try_allocate(std::size_t bytes) noexcept override {
    void* const block = ::mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block != MAP_FAILED ? block : nullptr;
  }
  void deallocate(void* block, std::size_t bytes) noexcept override { ::munmap(block, whole_pages(bytes)); }

 private:
  std::uint64_t limit_ = host_memory_limit().bytes;
};

class MonitorOfDevice : public DeviceMonitor {
 public:
  explicit MonitorOfDevice(const Device& device) : device_{device} {}
  [[nodiscard]] std::optional<MemorySample> sample() override {
    const std::uint64_t total = device_.total_bytes();
    return MemorySample{total, total - std::min(total, device_.free_bytes()), std::nullopt, device_.name()};
  }

 private:
  const Device& device_;
};

}  // namespace

std::unique_ptr<Device> host_device() { return std::make_unique<HostDevice>(); }

std::unique_ptr<DeviceMonitor> monitor_of(const Device& device) { return std::make_unique<MonitorOfDevice>(device); }

}  // namespace pantile
