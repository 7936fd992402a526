#include "device/device_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <bit>
#include <cstring>
#include <random>
#include <thread>

#include "base/byte_size.hpp"
#include "base/temp_folder.hpp"
#include "device/fake_device.hpp"
#include "device/other_process.hpp"
#include "device/pool_callbacks.hpp"

namespace pantile {
namespace {

class DevicePoolTest : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  std::filesystem::path book_ = folder_.path() / "book";
  FakeDevice device_{book_, 100 * MiB};
  Meter meter_{64 * MiB};
  DevicePool pool_{device_, meter_};
};

TEST_F(DevicePoolTest, ChargesWhatTheDeviceGivesAndReusesIt) {
  void* const block = pool_.try_allocate(5 * MiB);
  EXPECT_EQ(meter_.current(), 6 * MiB) << "whole chunks, as CUDA takes them";
  EXPECT_EQ(device_.taken_bytes(), 6 * MiB);
  pool_.deallocate(block);
  EXPECT_EQ(pool_.live_bytes(), 0U);
  EXPECT_EQ(pool_.held_bytes(), 6 * MiB);
  EXPECT_EQ(pool_.try_allocate(5 * MiB + 1), block);
  pool_.deallocate(block);
  void* const smaller = pool_.try_allocate(3 * MiB);
  EXPECT_NE(smaller, block) << "a third of it would be wasted";
  pool_.deallocate(smaller);
  EXPECT_EQ(pool_.trim(), 10 * MiB);
  EXPECT_EQ(meter_.current(), 0U);
  EXPECT_EQ(device_.taken_bytes(), 0U);
}

TEST_F(DevicePoolTest, CutsSmallBlocksFromOneChunk) {
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(pool_.try_allocate(1000));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), i, 1000);
  }
  EXPECT_EQ(meter_.current(), 2 * MiB);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(static_cast<unsigned char*>(blocks[static_cast<std::size_t>(i)])[999], i % 256) << "they do not overlap";
  }
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    pool_.deallocate(blocks[i]);
  }
  EXPECT_EQ(pool_.trim(), 0U) << "one is in use";
  void* const another = pool_.try_allocate(1000);
  EXPECT_EQ(meter_.current(), 2 * MiB) << "the others are still there";
  pool_.deallocate(another);
  pool_.deallocate(blocks[0]);
  EXPECT_EQ(pool_.trim(), 2 * MiB);
}

TEST_F(DevicePoolTest, TellsTheCapFromTheDevice) {
  EXPECT_EQ(pool_.try_allocate(65 * MiB), nullptr);
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_cap);
  EXPECT_EQ(meter_.current(), 0U);
  void* const others = device_.try_allocate(50 * MiB);
  EXPECT_EQ(pool_.try_allocate(60 * MiB), nullptr);
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_device);
  EXPECT_EQ(meter_.current(), 0U) << "what was not given is not charged";
  void* const block = pool_.try_allocate(40 * MiB);
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::none);
  EXPECT_EQ(pool_.try_allocate(SIZE_MAX), nullptr);
  pool_.deallocate(block);
  device_.deallocate(others, 50 * MiB);
}

TEST_F(DevicePoolTest, GivesWhatIsKeptForWhatIsNeeded) {
  void* const large = pool_.try_allocate(40 * MiB);
  void* const other = pool_.try_allocate(20 * MiB);
  pool_.deallocate(large);
  void* const needed = pool_.try_allocate(30 * MiB);  // 40 are kept and do not suit, 20 are in use, the cap is 64
  EXPECT_NE(needed, nullptr);
  EXPECT_EQ(meter_.current(), 50 * MiB);
  pool_.deallocate(needed);
  pool_.deallocate(other);
}

TEST_F(DevicePoolTest, ShrinksToALowerCapAsBlocksComeBack) {
  void* const one = pool_.try_allocate(20 * MiB);
  void* const two = pool_.try_allocate(20 * MiB);
  void* const three = pool_.try_allocate(10 * MiB);
  pool_.deallocate(three);
  meter_.set_cap(30 * MiB);
  EXPECT_EQ(pool_.trim(), 10 * MiB);
  EXPECT_EQ(meter_.current(), 40 * MiB) << "in use: nothing is taken away";
  EXPECT_EQ(pool_.try_allocate(2 * MiB), nullptr);
  EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_cap);
  pool_.deallocate(one);
  EXPECT_EQ(meter_.current(), 20 * MiB) << "not kept above the cap";
  pool_.deallocate(two);
  EXPECT_EQ(meter_.current(), 20 * MiB) << "kept below it";
  meter_.set_cap(64 * MiB);
  EXPECT_NE(pool_.try_allocate(20 * MiB), nullptr);
  pool_.deallocate(two);
}

TEST_F(DevicePoolTest, GivesABlockToAnotherThreadOnlyThroughTheDevice) {
  void* const block = pool_.try_allocate(20 * MiB);
  pool_.deallocate(block);
  std::thread{[&] {
    void* const theirs = pool_.try_allocate(20 * MiB);
    EXPECT_NE(theirs, block) << "the stream of the first thread may still write into it";
    EXPECT_EQ(meter_.current(), 40 * MiB);
    void* const more = pool_.try_allocate(40 * MiB);  // instead of it: the device waits for the stream
    EXPECT_EQ(meter_.current(), 60 * MiB);
    pool_.deallocate(theirs);
    pool_.deallocate(more);
  }}.join();
}

TEST_F(DevicePoolTest, HoldsItsCapUnderManyThreads) {
  std::atomic<int> given = 0;
  std::atomic<int> refused = 0;
  std::atomic<bool> over = false;
  std::barrier together{8};  // on one core a thread would be through before the next begins, and the cap far away
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 dice{seed};
      std::vector<std::pair<void*, std::size_t>> mine;
      for (int i = 0; i < 3000; ++i) {
        if (i % 50 == 0) {
          together.arrive_and_wait();
        }
        if (mine.size() > 6 || (!mine.empty() && dice() % 2 == 0)) {
          std::swap(mine[dice() % mine.size()], mine.back());
          const auto [block, bytes] = mine.back();
          over = over || *static_cast<unsigned char*>(block) != seed ||
                 static_cast<unsigned char*>(block)[bytes - 1] != seed;  // somebody else wrote into it
          pool_.deallocate(block);
          mine.pop_back();
        } else {
          const std::size_t bytes = dice() % 3 == 0 ? 1 + dice() % (8 * MiB) : 1 + dice() % (100 * KiB);
          void* const block = pool_.try_allocate(bytes);
          ++(block != nullptr ? given : refused);
          if (block != nullptr) {
            *static_cast<unsigned char*>(block) = static_cast<unsigned char>(seed);
            static_cast<unsigned char*>(block)[bytes - 1] = static_cast<unsigned char>(seed);
            mine.emplace_back(block, bytes);
          }
        }
        over = over || device_.taken_bytes() > 64 * MiB || meter_.current() > 64 * MiB;
      }
      for (const auto& [block, bytes] : mine) {
        pool_.deallocate(block);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_FALSE(over);
  EXPECT_GT(given, 1000);
  EXPECT_GT(refused, 0) << "or the cap was never near";
  EXPECT_EQ(pool_.live_bytes(), 0U);
  pool_.trim();
  EXPECT_EQ(meter_.current(), 0U) << "nothing leaked";
  EXPECT_EQ(device_.taken_bytes(), 0U);
}

TEST_F(DevicePoolTest, LivesOnWhenAnotherProcessTakesMostOfTheDevice) {
  void* const block = pool_.try_allocate(30 * MiB);
  {
    testing::OtherProcess other{[&](const auto& wait) {
      FakeDevice theirs{book_, 0};
      wait(theirs.try_allocate(60 * MiB) != nullptr);
    }};
    ASSERT_TRUE(other.has_begun());
    EXPECT_EQ(pool_.try_allocate(20 * MiB), nullptr);
    EXPECT_EQ(DevicePool::last_refusal(), MemoryRefusal::by_device);
    void* const small = pool_.try_allocate(8 * MiB);
    EXPECT_NE(small, nullptr);
    pool_.deallocate(small);
    EXPECT_EQ(monitor_of(device_)->sample().value().used_bytes, 98 * MiB);
  }
  void* const again = pool_.try_allocate(20 * MiB);
  EXPECT_NE(again, nullptr) << "it is gone, and its share is free";
  pool_.deallocate(again);
  pool_.deallocate(block);
}

thread_local int current_device = 0;

TEST_F(DevicePoolTest, IsReachedThroughThreeCFunctions) {
  Meter second_meter{MiB};
  DevicePool second{device_, second_meter};
  const auto current = []() noexcept { return current_device; };
  const PoolCallbacks offered{pool_, 0, current};
  const PoolCallbacks second_offered{second, 3, current};
  const auto options = offered.provider_options();
  EXPECT_EQ(options.at("device_id"), "0");
  EXPECT_EQ(second_offered.provider_options().at("device_id"), "3");
  // As ONNX Runtime reads them: addresses in decimal.
  const auto function = [&](const char* key) { return std::bit_cast<void*>(std::stoull(options.at(key))); };
  const auto allocate = reinterpret_cast<void* (*)(std::size_t)>(function("gpu_external_alloc"));
  const auto deallocate = reinterpret_cast<void (*)(void*)>(function("gpu_external_free"));
  const auto empty_cache = reinterpret_cast<void (*)()>(function("gpu_external_empty_cache"));

  current_device = 0;
  EXPECT_EQ(allocate(0), nullptr);
  void* const block = allocate(10 * MiB);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(pool_.owns(block));
  current_device = 3;
  EXPECT_EQ(allocate(10 * MiB), nullptr) << "the cap of the other device";
  deallocate(block);  // to its own pool, whatever is current
  deallocate(nullptr);
  EXPECT_EQ(pool_.held_bytes(), 10 * MiB);
  empty_cache();
  EXPECT_EQ(pool_.held_bytes(), 10 * MiB) << "not the current device's";
  current_device = 0;
  empty_cache();
  EXPECT_EQ(meter_.current(), 0U);
  current_device = 7;
  EXPECT_EQ(allocate(1), nullptr) << "a device without a pool";
  current_device = 0;
}

TEST(HostDevice, HasTheMemoryOfTheMachine) {
  const auto device = host_device();
  EXPECT_EQ(device->name(), "host");
  EXPECT_GT(device->free_bytes(), 0U);
  EXPECT_LE(device->free_bytes(), device->total_bytes());
  void* const block = device->try_allocate(MiB);
  ASSERT_NE(block, nullptr);
  std::memset(block, 1, MiB);
  device->deallocate(block, MiB);
  EXPECT_EQ(device->try_allocate(std::size_t{1} << 60U), nullptr);
}

}  // namespace
}  // namespace pantile
