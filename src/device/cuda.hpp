#pragma once
// The GPUs that CUDA shows us. In a build without CUDA there are none, and it says so.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/device.hpp"

namespace pantile {

/// A GPU as CUDA numbers it: CUDA_VISIBLE_DEVICES decides which ones there are, and in what order.
struct CudaDevice {
  int ordinal = 0;
  std::string name;          ///< "NVIDIA H200"
  std::string uuid;          ///< "GPU-…", as NVML's
  std::string device_class;  ///< "cuda:9.0": its compute capability
  std::uint64_t total_bytes = 0;
};

struct CudaDevices {
  std::vector<CudaDevice> devices;
  std::string reason;  ///< why there is none; empty if there is one
};

/// Asks the driver; takes no memory of any device.
[[nodiscard]] CudaDevices find_cuda_devices();

/// The memory of one of them. From here on the process has a context there: some hundred megabytes, which no pool
/// counts and free_bytes() shows. Throws Error if it does not answer.
[[nodiscard]] std::unique_ptr<Device> open_cuda_device(const CudaDevice& device);

/// The ordinal that is current in this thread, for PoolCallbacks; −1 if there is none.
[[nodiscard]] int current_cuda_device() noexcept;

}  // namespace pantile
