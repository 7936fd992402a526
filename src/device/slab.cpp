#include "device/slab.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "device/process_memory.hpp"

namespace pantile {

namespace {

constexpr std::size_t smallest_range = std::size_t{64} << 20U;

/// Where addresses are limited (`ulimit -v`), many lanes and everybody else's memory have to share them.
std::size_t share_of_addresses(std::size_t wanted) {
  constexpr std::size_t shares = 64;
  rlimit limit{};
  const bool is_limited = ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return is_limited ? std::clamp<std::size_t>(limit.rlim_cur / shares, smallest_range, std::max(wanted, smallest_range))
                    : wanted;
}

}  // namespace

Slab::Slab(Meter& meter, std::size_t virtual_bytes)
    : meter_{meter}, virtual_bytes_{whole_pages(share_of_addresses(virtual_bytes))} {
  for (;; virtual_bytes_ = whole_pages(virtual_bytes_ / 2)) {
    // Addresses only: what cannot be written counts neither as memory nor against a limit of it (RLIMIT_DATA).
    void* range = ::mmap(nullptr, virtual_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range != MAP_FAILED) {
      base_ = static_cast<std::byte*>(range);
      break;
    }
    if (virtual_bytes_ / 2 < smallest_range) {
      throw system_error("reserving addresses for a lane's memory (is `ulimit -v` set? Raise it)");
    }
  }
  // A huge page at the high-water mark would make up to 2 MiB resident that nobody charged.
  ::madvise(base_, virtual_bytes_, MADV_NOHUGEPAGE);
  gaps_.emplace(0, virtual_bytes_);
}

Slab::~Slab() {
  expect(live_ == 0, "a slab outlives its blocks");
  ::munmap(base_, virtual_bytes_);
  meter_.release(high_water_);
}

std::byte* Slab::try_allocate(std::size_t bytes) {
  const std::size_t size = whole_pages(bytes);
  const std::scoped_lock lock{mutex_};
  const auto gap = std::find_if(gaps_.begin(), gaps_.end(), [&](const auto& each) { return each.second >= size; });
  return gap == gaps_.end() ? nullptr : take(gap, gap->first, size);
}

std::byte* Slab::try_allocate_at(std::size_t offset, std::size_t bytes) {
  expect(offset % page_bytes() == 0, "a block starts on a page");
  const std::size_t size = whole_pages(bytes);
  const std::scoped_lock lock{mutex_};
  auto gap = gaps_.upper_bound(offset);
  if (gap == gaps_.begin()) {
    return nullptr;
  }
  gap = std::prev(gap);
  const std::size_t end = gap->first + gap->second;
  return end < offset || end - offset < size ? nullptr : take(gap, offset, size);
}

std::byte* Slab::take(std::map<std::size_t, std::size_t>::iterator gap, std::size_t offset, std::size_t bytes) {
  const std::size_t end = offset + bytes;
  if (end > high_water_) {
    const std::size_t more = end - high_water_;
    if (!meter_.try_charge(more)) {
      return nullptr;
    }
    if (::mprotect(base_ + high_water_, more, PROT_READ | PROT_WRITE) != 0) {
      meter_.release(more);
      return nullptr;
    }
    high_water_ = end;
  }
  const auto [gap_offset, gap_bytes] = *gap;
  gaps_.erase(gap);
  if (offset > gap_offset) {
    gaps_.emplace(gap_offset, offset - gap_offset);
  }
  if (gap_offset + gap_bytes > end) {
    gaps_.emplace(end, gap_offset + gap_bytes - end);
  }
  live_ += bytes;
  peak_ = std::max(peak_, end);
  return base_ + offset;
}

void Slab::deallocate(std::byte* block, std::size_t bytes) noexcept {
  const std::scoped_lock lock{mutex_};
  auto offset = static_cast<std::size_t>(block - base_);
  std::size_t size = whole_pages(bytes);
  expect(offset + size <= virtual_bytes_ && size <= live_, "a block goes back to the slab that it came from");
  live_ -= size;
  auto after = gaps_.lower_bound(offset);
  if (after != gaps_.end() && after->first == offset + size) {
    size += after->second;
    after = gaps_.erase(after);
  }
  if (after != gaps_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  gaps_.emplace_hint(after, offset, size);
}

std::size_t Slab::top() const noexcept {
  const bool ends_free = !gaps_.empty() && gaps_.rbegin()->first + gaps_.rbegin()->second == virtual_bytes_;
  return ends_free ? gaps_.rbegin()->first : virtual_bytes_;
}

std::size_t Slab::trim() noexcept {
  const std::scoped_lock lock{mutex_};
  const std::size_t keep = top();
  const std::size_t surplus = high_water_ - keep;
  if (surplus > 0) {
    ::madvise(base_ + keep, surplus, MADV_DONTNEED);
    ::mprotect(base_ + keep, surplus, PROT_NONE);
    high_water_ = keep;
    meter_.release(surplus);
  }
  return surplus;
}

void Slab::reset_peak() noexcept {
  const std::scoped_lock lock{mutex_};
  peak_ = top();
}

std::size_t Slab::peak_bytes() const noexcept {
  const std::scoped_lock lock{mutex_};
  return peak_;
}

std::size_t Slab::high_water() const noexcept {
  const std::scoped_lock lock{mutex_};
  return high_water_;
}

std::size_t Slab::live_bytes() const noexcept {
  const std::scoped_lock lock{mutex_};
  return live_;
}

SlabPool::Lease::~Lease() {
  if (slab_ != nullptr) {
    const std::scoped_lock lock{pool_->mutex_};
    if (std::erase(pool_->to_trim_, slab_) > 0) {
      slab_->trim();
    }
    pool_->idle_.push_back(slab_);
  }
}

SlabPool::Lease SlabPool::lease() {
  const std::scoped_lock lock{mutex_};
  if (idle_.empty()) {
    idle_.reserve(slabs_.size() + 1);  // so that giving a slab back cannot fail
    to_trim_.reserve(slabs_.size() + 1);
    slabs_.push_back(std::make_unique<Slab>(meter_));
    return {*this, *slabs_.back()};
  }
  Slab& slab = *idle_.back();
  idle_.pop_back();
  return {*this, slab};
}

std::size_t SlabPool::trim_idle() noexcept {
  const std::scoped_lock lock{mutex_};
  std::size_t released = 0;
  for (Slab* slab : idle_) {
    released += slab->trim();
  }
  return released;
}

void SlabPool::trim_all() noexcept {
  const std::scoped_lock lock{mutex_};
  to_trim_.clear();
  for (const std::unique_ptr<Slab>& slab : slabs_) {
    if (std::find(idle_.begin(), idle_.end(), slab.get()) != idle_.end()) {
      slab->trim();
    } else {
      to_trim_.push_back(slab.get());  // lease() has reserved as many places
    }
  }
}

}  // namespace pantile
