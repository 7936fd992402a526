#include "device/meter.hpp"

#include <new>

#include "base/error.hpp"

namespace pantile {

bool Meter::try_charge(std::uint64_t bytes) noexcept {
  // Compare-and-swap rather than add-and-undo: an overshoot, however short, would make a neighbour's charge fail.
  std::uint64_t before = current();
  do {
    const std::uint64_t limit = cap();
    if (before > limit || bytes > limit - before) {
      return false;
    }
  } while (!current_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));

  std::uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < before + bytes && !peak_.compare_exchange_weak(peak, before + bytes, std::memory_order_relaxed)) {
  }
  return true;
}

void Meter::charge(std::uint64_t bytes) {
  if (!try_charge(bytes)) {
    throw std::bad_alloc{};
  }
}

void Meter::release(std::uint64_t bytes) noexcept {
  const std::uint64_t before = current_.fetch_sub(bytes, std::memory_order_relaxed);
  expect(before >= bytes, "only what was charged to a meter is released");
}

void Meter::reset_peak() noexcept { peak_.store(current(), std::memory_order_relaxed); }

}  // namespace pantile
