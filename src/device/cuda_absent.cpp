// device/cuda.hpp in a build without CUDA.

#include "base/error.hpp"
#include "device/cuda.hpp"

namespace pantile {

CudaDevices find_cuda_devices() { return {{}, "this build has no CUDA (configure it with -DPANTILE_CUDA=ON)"}; }

std::unique_ptr<Device> open_cuda_device(const CudaDevice& device) {
  throw Error{device.name + " cannot be used: this build has no CUDA. Configure one with -DPANTILE_CUDA=ON."};
}

int current_cuda_device() noexcept { return -1; }

}  // namespace pantile
