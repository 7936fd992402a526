#include "device/pool_callbacks.hpp"

#include <array>
#include <cstdint>
#include <shared_mutex>

#include "base/error.hpp"

namespace pantile {
namespace {

struct Offered {
  DevicePool* pool = nullptr;
  int (*current_device)() noexcept = nullptr;
};

struct Table {
  std::shared_mutex mutex;  // shared by those who use a pool, so that it cannot go away meanwhile
  std::array<Offered, PoolCallbacks::most_devices> offered;
};

Table& table() {
  static Table table;
  return table;
}

/// Of the device that is current in this thread; nullptr if it has none.
DevicePool* current_pool(const Table& table) {
  for (std::size_t ordinal = 0; ordinal < table.offered.size(); ++ordinal) {
    const Offered& one = table.offered[ordinal];
    if (one.pool != nullptr && one.current_device() == static_cast<int>(ordinal)) {
      return one.pool;
    }
  }
  return nullptr;
}

template <class Function>
std::string address(Function* function) {
  return std::to_string(reinterpret_cast<std::uintptr_t>(function));
}

}  // namespace

PoolCallbacks::PoolCallbacks(DevicePool& pool, int ordinal, int (*current_device)() noexcept) : ordinal_{ordinal} {
  expect(ordinal >= 0 && ordinal < most_devices, "the device is one of the first 64");
  const std::scoped_lock lock{table().mutex};
  Offered& place = table().offered[static_cast<std::size_t>(ordinal)];
  expect(place.pool == nullptr, "a device has one pool");
  place = {&pool, current_device};
}

PoolCallbacks::~PoolCallbacks() {
  const std::scoped_lock lock{table().mutex};
  table().offered[static_cast<std::size_t>(ordinal_)] = {};
}

void* PoolCallbacks::allocate(std::size_t bytes) noexcept {
  const std::shared_lock lock{table().mutex};
  DevicePool* const pool = bytes > 0 ? current_pool(table()) : nullptr;
  return pool != nullptr ? pool->try_allocate(bytes) : nullptr;
}

void PoolCallbacks::deallocate(void* block) noexcept {
  if (block == nullptr) {
    return;
  }
  const std::shared_lock lock{table().mutex};
  for (const Offered& one : table().offered) {
    if (one.pool != nullptr && one.pool->owns(block)) {
      one.pool->deallocate(block);
      return;
    }
  }
  expect(false, "a block that the provider frees is from a pool that is still there");
}

void PoolCallbacks::empty_cache() noexcept {
  const std::shared_lock lock{table().mutex};
  if (DevicePool* const pool = current_pool(table()); pool != nullptr) {
    pool->trim();
  }
}

std::map<std::string, std::string> PoolCallbacks::provider_options() const {
  return {{"device_id", std::to_string(ordinal_)},
          {"gpu_external_alloc", address(&PoolCallbacks::allocate)},
          {"gpu_external_free", address(&PoolCallbacks::deallocate)},
          {"gpu_external_empty_cache", address(&PoolCallbacks::empty_cache)}};
}

}  // namespace pantile
