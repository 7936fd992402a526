#pragma once
// A pool as ONNX Runtime's CUDA provider wants it: three C functions without an argument of ours. Which pool is meant
// is told by the device that is current in the calling thread; a block comes back to the pool that it is from.

#include <cstddef>
#include <map>
#include <string>

#include "device/device_pool.hpp"

namespace pantile {

/// Offers a pool to the callbacks while it lives. At most one pool an ordinal. Sessions that were opened with the
/// callbacks, and their outputs, must be gone before.
class PoolCallbacks {
 public:
  static constexpr int most_devices = 64;

  /// `ordinal`: the device's number in `current_device`, which is cudaGetDevice, or a test's own; it returns −1 on
  /// failure.
  PoolCallbacks(DevicePool& pool, int ordinal, int (*current_device)() noexcept);
  ~PoolCallbacks();
  PoolCallbacks(const PoolCallbacks&) = delete;
  PoolCallbacks& operator=(const PoolCallbacks&) = delete;

  /// gpu_external_alloc, gpu_external_free, gpu_external_empty_cache. A null pointer is a clean failure of Run() there,
  /// other than in an OrtAllocator.
  static void* allocate(std::size_t bytes) noexcept;
  static void deallocate(void* block) noexcept;
  static void empty_cache() noexcept;

  /// The provider's options: the device's number, and the addresses of the three as decimal numbers.
  [[nodiscard]] std::map<std::string, std::string> provider_options() const;

 private:
  int ordinal_;
};

}  // namespace pantile
