#include "device/cuda.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace pantile {
namespace {

/// The end of each call that must succeed.
void check(cudaError_t code, const std::string& doing) {
  if (code != cudaSuccess) {
    throw Error{fmt::format("cannot {}: {}. Does nvidia-smi show the device?", doing, cudaGetErrorString(code))};
  }
}

/// As NVML and nvidia-smi write it.
std::string text_of(const cudaUUID_t& uuid) {
  std::array<unsigned char, sizeof uuid.bytes> bytes{};
  std::memcpy(bytes.data(), uuid.bytes, bytes.size());
  std::string text = "GPU";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool begins_a_group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    text += fmt::format("{}{:02x}", begins_a_group ? "-" : "", bytes[i]);
  }
  return text;
}

/// Makes a device current in this thread, and what was current before again.
class Current {
 public:
  explicit Current(int ordinal) noexcept
      : before_{current_cuda_device()}, is_set_{cudaSetDevice(ordinal) == cudaSuccess} {}
  ~Current() {
    if (before_ >= 0) {
      cudaSetDevice(before_);
    }
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  [[nodiscard]] bool is_set() const noexcept { return is_set_; }

 private:
  int before_;
  bool is_set_;
};

class CudaMemory : public Device {
 public:
  explicit CudaMemory(CudaDevice facts) : facts_{std::move(facts)} {
    const Current current{facts_.ordinal};
    check(current.is_set() ? cudaFree(nullptr) : cudaGetLastError(), fmt::format("open {}", facts_.name));
  }

  [[nodiscard]] std::string name() const override { return facts_.name; }
  [[nodiscard]] std::string device_class() const override { return facts_.device_class; }
  [[nodiscard]] std::string uuid() const override { return facts_.uuid; }
  [[nodiscard]] std::uint64_t total_bytes() const override { return facts_.total_bytes; }

  [[nodiscard]] std::uint64_t free_bytes() const override {
    const Current current{facts_.ordinal};
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), fmt::format("ask {} for its free memory", facts_.name));
    return free;
  }

  [[nodiscard]] void* try_allocate(std::size_t bytes) noexcept override {
    const Current current{facts_.ordinal};
    void* block = nullptr;
    if (!current.is_set() || cudaMalloc(&block, bytes) != cudaSuccess) {
      cudaGetLastError();  // or the next call of anybody would report it
      return nullptr;
    }
    return block;
  }

  void deallocate(void* block, std::size_t) noexcept override {
    const Current current{facts_.ordinal};
    if (cudaFree(block) != cudaSuccess) {  // waits for all work on the device. A sick one fails: its tile will say so
      cudaGetLastError();
    }
  }

 private:
  CudaDevice facts_;
};

}  // namespace

CudaDevices find_cuda_devices() {
  CudaDevices found;
  int count = 0;
  if (const cudaError_t code = cudaGetDeviceCount(&count); code != cudaSuccess) {
    cudaGetLastError();
    int driver = 0;
    const bool has_driver = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
    found.reason = has_driver ? cudaGetErrorString(code) : "this machine has no driver of NVIDIA";
    return found;
  }
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    cudaDeviceProp facts{};
    if (cudaGetDeviceProperties(&facts, ordinal) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    found.devices.push_back({.ordinal = ordinal,
                             .name = &facts.name[0],
                             .uuid = text_of(facts.uuid),
                             .device_class = fmt::format("cuda:{}.{}", facts.major, facts.minor),
                             .total_bytes = facts.totalGlobalMem});
  }
  if (found.devices.empty()) {
    found.reason = count == 0 ? "CUDA shows no device" : "no device answers";
  }
  return found;
}

std::unique_ptr<Device> open_cuda_device(const CudaDevice& device) { return std::make_unique<CudaMemory>(device); }

int current_cuda_device() noexcept {
  int ordinal = -1;
  if (cudaGetDevice(&ordinal) != cudaSuccess) {
    cudaGetLastError();
    return -1;
  }
  return ordinal;
}

}  // namespace pantile
