#include "device/device_pool.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "base/error.hpp"

namespace pantile {
namespace {

constexpr std::size_t smallest = 512;
constexpr std::size_t largest_small = DevicePool::chunk_bytes / 2;

thread_local MemoryRefusal refusal_of_thread = MemoryRefusal::none;

std::size_t rounded(std::size_t bytes) {
  if (bytes <= largest_small) {
    return std::bit_ceil(std::max(bytes, smallest));
  }
  return (bytes + DevicePool::chunk_bytes - 1) / DevicePool::chunk_bytes * DevicePool::chunk_bytes;
}

}  // namespace

MemoryRefusal DevicePool::last_refusal() noexcept { return refusal_of_thread; }

DevicePool::~DevicePool() {
  trim();
  expect(held_bytes_ == 0, "all blocks are back when a pool ends");
}

/// Precondition: the mutex is locked, here and below.
void* DevicePool::take_kept_of(std::thread::id thread, std::size_t least, std::size_t most) {
  const auto of_thread = kept_.find(thread);
  if (of_thread == kept_.end()) {
    return nullptr;
  }
  const auto found = of_thread->second.lower_bound(least);
  if (found == of_thread->second.end() || found->first > most) {
    return nullptr;
  }
  const auto [bytes, kept] = *found;
  of_thread->second.erase(found);
  live_.emplace(kept.block, Live{bytes, kept.chunk});
  live_bytes_ += bytes;
  if (kept.chunk != nullptr) {
    ++kept.chunk->in_use;
  }
  return kept.block;
}

void* DevicePool::take_kept(std::size_t least, std::size_t most) {
  void* const block = take_kept_of(std::this_thread::get_id(), least, most);
  return block != nullptr ? block : take_kept_of(std::thread::id{}, least, most);
}

void* DevicePool::from_device(std::size_t bytes) {
  while (!meter_.try_charge(bytes)) {
    if (trim_some(bytes) == 0) {
      refusal_of_thread = MemoryRefusal::by_cap;
      return nullptr;
    }
  }
  void* block = nullptr;
  while ((block = device_.try_allocate(bytes)) == nullptr) {
    if (trim_some(bytes) == 0) {
      meter_.release(bytes);
      refusal_of_thread = MemoryRefusal::by_device;
      return nullptr;
    }
  }
  held_bytes_ += bytes;
  return block;
}

void DevicePool::give_back(void* block, std::size_t bytes) noexcept {
  device_.deallocate(block, bytes);
  meter_.release(bytes);
  held_bytes_ -= bytes;
}

bool DevicePool::cut_chunk(std::size_t block_bytes) {
  auto* const base = static_cast<std::byte*>(from_device(chunk_bytes));
  if (base == nullptr) {
    return false;
  }
  Chunk& chunk = chunks_[base] = Chunk{base, block_bytes, 0};
  KeptBySize& unused = kept_[std::thread::id{}];
  for (std::size_t at = 0; at < chunk_bytes; at += block_bytes) {
    unused.emplace(block_bytes, Kept{base + at, &chunk});
  }
  return true;
}

void* DevicePool::try_allocate(std::size_t bytes) noexcept {
  refusal_of_thread = MemoryRefusal::none;
  if (bytes > SIZE_MAX / 2) {
    refusal_of_thread = MemoryRefusal::by_cap;
    return nullptr;
  }
  const std::size_t size = rounded(bytes);
  const bool is_small = size <= largest_small;
  const std::scoped_lock lock{mutex_};
  // A kept block that is a little larger does as well; a much larger one would be missed elsewhere.
  if (void* const kept = take_kept(size, is_small ? size : size + size / 4); kept != nullptr) {
    return kept;
  }
  if (is_small) {
    return cut_chunk(size) ? take_kept(size, size) : nullptr;
  }
  void* const block = from_device(size);
  if (block != nullptr) {
    live_.emplace(block, Live{size, nullptr});
    live_bytes_ += size;
  }
  return block;
}

void DevicePool::deallocate(void* block) noexcept {
  if (block == nullptr) {
    return;
  }
  const std::scoped_lock lock{mutex_};
  const auto found = live_.find(block);
  expect(found != live_.end(), "only blocks of a pool come back to it");
  const Live live = found->second;
  live_.erase(found);
  live_bytes_ -= live.bytes;
  if (live.chunk != nullptr) {
    --live.chunk->in_use;
  }
  kept_[std::this_thread::get_id()].emplace(live.bytes, Kept{block, live.chunk});
  if (const std::uint64_t current = meter_.current(), cap = meter_.cap(); current > cap) {
    trim_some(current - cap);  // the cap was lowered while it was in use
  }
}

bool DevicePool::owns(const void* block) const noexcept {
  const std::scoped_lock lock{mutex_};
  return live_.contains(block);
}

std::size_t DevicePool::trim() noexcept {
  const std::scoped_lock lock{mutex_};
  return trim_some(Meter::unlimited);
}

std::size_t DevicePool::trim_some(std::uint64_t enough) noexcept {
  const std::uint64_t before = held_bytes_;
  const auto done = [&] { return before - held_bytes_ >= enough; };
  for (auto& [thread, kept] : kept_) {
    while (!kept.empty() && kept.rbegin()->second.chunk == nullptr && !done()) {  // the largest first
      const auto last = std::prev(kept.end());
      give_back(last->second.block, last->first);
      kept.erase(last);
    }
  }
  const bool has_idle = std::any_of(chunks_.begin(), chunks_.end(), [](const auto& c) { return c.second.in_use == 0; });
  if (done() || !has_idle) {
    return before - held_bytes_;
  }
  for (auto& [thread, kept] : kept_) {
    std::erase_if(kept,
                  [](const auto& entry) { return entry.second.chunk != nullptr && entry.second.chunk->in_use == 0; });
  }
  std::erase_if(chunks_, [&](const auto& entry) {
    const bool is_idle = entry.second.in_use == 0;
    if (is_idle) {
      give_back(entry.first, chunk_bytes);
    }
    return is_idle;
  });
  std::erase_if(kept_, [](const auto& entry) { return entry.second.empty(); });  // threads that have ended
  return before - held_bytes_;
}

std::uint64_t DevicePool::live_bytes() const noexcept {
  const std::scoped_lock lock{mutex_};
  return live_bytes_;
}

std::uint64_t DevicePool::held_bytes() const noexcept {
  const std::scoped_lock lock{mutex_};
  return held_bytes_;
}

}  // namespace pantile
