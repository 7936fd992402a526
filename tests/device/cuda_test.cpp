// GPUs for real, wherever there is one; else it is said why not, and the rest skips.

#include "device/cuda.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "device/device_pool.hpp"
#include "device/nvml.hpp"
#include "device/pool_callbacks.hpp"

namespace pantile {
namespace {

TEST(Cuda, FindsDevicesOrSaysWhyNot) {
  const CudaDevices found = find_cuda_devices();
  EXPECT_NE(found.devices.empty(), found.reason.empty());
  if (found.devices.empty()) {
    EXPECT_THROW((void)open_cuda_device(CudaDevice{}), Error);
  }
}

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const CudaDevices found = find_cuda_devices();
    if (found.devices.empty()) {
      GTEST_SKIP() << "no CUDA device (" << found.reason << ")";
    }
    facts_ = found.devices.front();
    device_ = open_cuda_device(facts_);
  }

  CudaDevice facts_;
  std::unique_ptr<Device> device_;
};

TEST_F(CudaDeviceTest, TellsWhatItIs) {
  EXPECT_FALSE(facts_.name.empty());
  EXPECT_EQ(facts_.uuid.rfind("GPU-", 0), 0U) << facts_.uuid;
  EXPECT_EQ(facts_.uuid.size(), std::string{"GPU-12345678-1234-1234-1234-123456789012"}.size());
  EXPECT_EQ(device_->device_class().rfind("cuda:", 0), 0U);
  EXPECT_LE(device_->free_bytes(), device_->total_bytes());
}

TEST_F(CudaDeviceTest, IsTheOneThatTheDriverKnowsByThatUuid) {
  const auto opened = Nvml::open();
  if (const auto* reason = std::get_if<std::string>(&opened)) {
    GTEST_SKIP() << *reason;
  }
  const auto monitor = std::get<std::shared_ptr<Nvml>>(opened)->monitor(device_->uuid());
  ASSERT_NE(monitor, nullptr);
  const std::uint64_t before = monitor->sample().value().used_bytes;
  void* const block = device_->try_allocate(512 * MiB);
  ASSERT_NE(block, nullptr);
  EXPECT_GE(monitor->sample().value().used_bytes, before + 256 * MiB) << "others come and go";
  device_->deallocate(block, 512 * MiB);
}

TEST_F(CudaDeviceTest, IsCappedByAPool) {
  Meter meter{64 * MiB};
  DevicePool pool{*device_, meter};
  const PoolCallbacks offered{pool, facts_.ordinal, &current_cuda_device};
  const std::uint64_t before = device_->free_bytes();
  void* const block = PoolCallbacks::allocate(40 * MiB);
  ASSERT_NE(block, nullptr);
  EXPECT_LE(device_->free_bytes(), before - 40 * MiB);
  EXPECT_EQ(PoolCallbacks::allocate(40 * MiB), nullptr);
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_cap);
  PoolCallbacks::deallocate(block);
  PoolCallbacks::empty_cache();
  EXPECT_EQ(meter.current(), 0U);
  meter.set_cap(Meter::unlimited);
  EXPECT_EQ(pool.try_allocate(device_->total_bytes()), nullptr) << "the context alone takes some of it";
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_device);
  void* const still = pool.try_allocate(40 * MiB);
  EXPECT_NE(still, nullptr) << "a refusal leaves no error behind";
  pool.deallocate(still);
}

}  // namespace
}  // namespace pantile
