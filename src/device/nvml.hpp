#pragma once
// NVIDIA's management library, opened with dlopen: what the GPUs of this machine are and who uses how much of them. It
// comes with the driver, and needs neither CUDA nor a context, which would cost hundreds of megabytes of the device.

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "device/device.hpp"
#include "device/device_monitor.hpp"

namespace pantile {

/// One GPU, by the driver's numbering (in the order of the PCI bus; CUDA_VISIBLE_DEVICES does not change it).
struct NvmlDevice {
  unsigned index = 0;
  std::string name;  ///< "NVIDIA H200"
  std::string uuid;  ///< "GPU-…"; what tells it from others, and the same one in CUDA
  std::uint64_t total_bytes = 0;
};

/// The open library. Thread-safe; monitors keep it open.
class Nvml : public std::enable_shared_from_this<Nvml> {
 public:
  static constexpr const char* usual_library = "libnvidia-ml.so.1";

  /// The library, or one sentence on why there is none: "libnvidia-ml.so.1: cannot open shared object file …".
  [[nodiscard]] static std::variant<std::shared_ptr<Nvml>, std::string> open(
      const std::string& library = usual_library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// The GPUs that can be looked at. One that is lost, or not ours to see, is left out.
  [[nodiscard]] std::vector<NvmlDevice> devices() const;
  /// Looks at the GPU of this UUID; nullptr if there is none.
  [[nodiscard]] std::unique_ptr<DeviceMonitor> monitor(const std::string& uuid);

 private:
  struct Functions;
  class Monitor;
  explicit Nvml(std::unique_ptr<Functions> functions);

  std::unique_ptr<Functions> functions_;
};

/// The best look at a device's memory: NVML's if it knows the device, else the device's own. The device must outlive
/// it.
[[nodiscard]] std::unique_ptr<DeviceMonitor> best_monitor(const Device& device,
                                                          const std::string& library = Nvml::usual_library);

}  // namespace pantile
