#include "pipeline/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iterator>
#include <utility>

#include "base/error.hpp"

namespace pantile {
namespace {

/// Rounds up to cache lines, so that two lanes never write to one line.
constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

ArenaSpace::ArenaSpace(std::uint64_t capacity) : capacity_{capacity / 64 * 64}, limit_{capacity_} {
  gaps_.emplace(0, capacity_);
}

std::uint64_t ArenaSpace::highest_end() const noexcept {
  const bool ends_free = !gaps_.empty() && gaps_.rbegin()->first + gaps_.rbegin()->second == capacity_;
  return ends_free ? gaps_.rbegin()->first : capacity_;
}

std::optional<Slot> ArenaSpace::take(std::uint64_t bytes) {
  const std::uint64_t wanted = padded(bytes);
  for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
    if (gap->second < wanted) {
      continue;
    }
    if (gap->first + wanted > limit_) {
      break;
    }
    const Slot slot{gap->first, bytes};
    const std::uint64_t rest = gap->second - wanted;
    gaps_.erase(gap);
    if (rest > 0) {
      gaps_.emplace(slot.offset + wanted, rest);
    }
    used_ += wanted;
    return slot;
  }
  return std::nullopt;
}

void ArenaSpace::give_back(const Slot& slot) {
  std::uint64_t offset = slot.offset;
  std::uint64_t bytes = padded(slot.bytes);
  expect(offset + bytes <= capacity_ && bytes <= used_, "a slot that comes back was part of the arena");
  used_ -= bytes;
  auto next = gaps_.lower_bound(offset);
  expect(next == gaps_.end() || offset + bytes <= next->first, "a slot comes back once");
  if (next != gaps_.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = gaps_.erase(next);
  }
  if (next != gaps_.begin()) {
    const auto before = std::prev(next);
    expect(before->first + before->second <= offset, "a slot comes back once");
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  gaps_.emplace(offset, bytes);
}

Arena::Arena(std::uint64_t capacity) : capacity_{capacity} {
  file_ = File{::memfd_create("pantile-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(capacity)) != 0) {
    throw system_error("cannot create the shared memory for finished pixels (" + std::to_string(capacity) + " bytes)");
  }
  // An executor that an image took over must not cut it off under its rank, whose next look at it would be a SIGBUS.
  if (::fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw system_error("cannot seal the shared memory for finished pixels");
  }
  map();
}

Arena::Arena(File file, std::uint64_t capacity) : file_{std::move(file)}, capacity_{capacity} { map(); }

void Arena::map() {
  void* const base = ::mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (base == MAP_FAILED) {
    throw system_error("cannot map the shared memory for finished pixels (" + std::to_string(capacity_) + " bytes)");
  }
  base_ = static_cast<std::byte*>(base);
}

Arena::~Arena() { ::munmap(base_, capacity_); }

std::span<std::byte> Arena::at(const Slot& slot) const {
  expect(slot.offset + slot.bytes <= capacity_, "a slot lies in the arena");
  return {base_ + slot.offset, slot.bytes};
}

void Arena::forget(const Slot& slot) const noexcept {
  // Whole pages only: the first and last may be shared with neighbours.
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = (slot.offset + page - 1) / page * page;
  const std::uint64_t end = (slot.offset + slot.bytes) / page * page;
  if (end > begin) {
    ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                static_cast<off_t>(end - begin));
  }
}

}  // namespace pantile
