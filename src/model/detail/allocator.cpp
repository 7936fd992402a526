#include "model/detail/allocator.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/error.hpp"

namespace pantile::detail {

namespace {

thread_local EngineScope* current_scope = nullptr;

/// For blocks that the engine takes on a thread of its own. With one intra-op thread there are none; if there were,
/// they would count as unmetered resident bytes.
Meter& unattributed() {
  static Meter meter;
  return meter;
}

void* map_pages(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

enum class MeteringAllocator::Home : std::uint8_t { heap, pages, slab };

/// Stands in front of each payload.
struct alignas(block_alignment) MeteringAllocator::Block {
  std::size_t bytes;  ///< of all of it: this, the payload, the padding, rounded up
  Home home;
  std::uint32_t birth;  ///< position among the blocks of its run
  Meter* meter;
  Slab* slab;
  const Trace* trace;
};

EngineScope::EngineScope(SlabPool& slabs) : slabs_{slabs} {
  expect(current_scope == nullptr, "a thread is in one call of the engine at a time");
  current_scope = this;
}

EngineScope::EngineScope(SlabPool& slabs, std::vector<PlannedBlock> plan, Trace* trace) : EngineScope{slabs} {
  lease_.emplace(slabs.lease());
  lease_->slab().reset_peak();
  plan_ = std::move(plan);
  trace_ = trace;
}

EngineScope::~EngineScope() { current_scope = nullptr; }

std::uint64_t EngineScope::peak_bytes() const noexcept {
  return (lease_ ? lease_->slab().peak_bytes() : 0) + static_cast<std::uint64_t>(heap_peak_);
}

SlabPool::Lease EngineScope::hand_over_lease() && {
  expect(lease_.has_value(), "a run has a slab");
  current_scope = nullptr;
  return *std::move(lease_);
}

void EngineScope::count_heap(std::int64_t bytes) noexcept {
  heap_now_ += bytes;
  heap_peak_ = std::max(heap_peak_, heap_now_);
}

std::uint32_t EngineScope::record_birth(std::size_t payload_bytes) {
  const std::uint32_t birth = births_++;
  if (birth >= plan_.size() || plan_[birth].payload_bytes != payload_bytes) {
    plan_.clear();
  }
  if (trace_ != nullptr) {
    trace_->blocks.push_back({.bytes = payload_bytes, .born = trace_->clock++, .died = TracedBlock::never});
  }
  return birth;
}

void EngineScope::record_death(std::uint32_t block) noexcept { trace_->blocks[block].died = trace_->clock++; }

/// Precondition: the birth of this block was recorded.
std::byte* EngineScope::take_from_slab(std::size_t payload_bytes) {
  Slab& slab = lease_->slab();
  const std::size_t bytes = slab_bytes_of(payload_bytes);
  if (!plan_.empty()) {
    const std::size_t offset = plan_[births_ - 1].offset;
    std::byte* memory = slab.try_allocate_at(offset, bytes);
    // A block that leaves its place takes that of a later one, so idle lanes are asked first.
    if (memory == nullptr && slabs_.trim_idle() > 0) {
      memory = slab.try_allocate_at(offset, bytes);
    }
    if (memory != nullptr) {
      return memory;
    }
  }
  return slab.try_allocate(bytes);
}

MeteringAllocator::MeteringAllocator()
    : OrtAllocator{}, info_{Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault)} {
  version = ORT_API_VERSION;
  Alloc = [](OrtAllocator*, std::size_t bytes) { return allocate(bytes); };
  Reserve = [](OrtAllocator*, std::size_t bytes) { return allocate(bytes); };
  Free = [](OrtAllocator*, void* payload) { deallocate(payload); };
  Info = [](const OrtAllocator* self) { return static_cast<const MeteringAllocator*>(self)->info(); };
}

void* MeteringAllocator::allocate(std::size_t payload_bytes) {
  if (payload_bytes == 0) {
    return nullptr;
  }
  EngineScope* scope = current_scope;
  const std::uint32_t birth = scope != nullptr ? scope->record_birth(payload_bytes) : 0;
  // Slabs of idle lanes keep their pages for the next tile; before a run fails for want of them, they are taken back.
  for (bool again = scope != nullptr; payload_bytes < SIZE_MAX / 2; again = false) {
    if (Block* block = take(scope, payload_bytes); block != nullptr) {
      block->birth = birth;
      return block + 1;
    }
    if (!again || scope->slabs_.trim_idle() == 0) {
      break;
    }
  }
  if (scope != nullptr) {
    scope->refused_bytes_ = payload_bytes;
  }
  throw std::bad_alloc{};
}

MeteringAllocator::Block* MeteringAllocator::take(EngineScope* scope, std::size_t payload_bytes) {
  static_assert(sizeof(Block) == block_header);
  Meter& meter = scope != nullptr ? scope->slabs_.meter() : unattributed();
  const Trace* trace = scope != nullptr ? scope->trace_ : nullptr;
  const std::size_t slab_bytes = slab_bytes_of(payload_bytes);
  const bool big = slab_bytes > 0;
  const std::size_t bytes = big ? slab_bytes : heap_bytes_of(payload_bytes);
  if (big && scope != nullptr && scope->lease_) {
    std::byte* memory = scope->take_from_slab(payload_bytes);
    Slab& slab = scope->lease_->slab();
    return memory == nullptr ? nullptr : new (memory) Block{bytes, Home::slab, 0, &meter, &slab, trace};
  }
  if (!meter.try_charge(bytes)) {
    return nullptr;
  }
  void* memory = big ? map_pages(bytes) : std::aligned_alloc(block_alignment, bytes);
  if (memory == nullptr) {
    meter.release(bytes);
    return nullptr;
  }
  if (scope != nullptr && !big) {
    scope->count_heap(static_cast<std::int64_t>(bytes));
  }
  return new (memory) Block{bytes, big ? Home::pages : Home::heap, 0, &meter, nullptr, trace};
}

void MeteringAllocator::deallocate(void* payload) noexcept {
  if (payload == nullptr) {
    return;
  }
  auto* block = static_cast<Block*>(payload) - 1;
  const Block old = *block;
  EngineScope* scope = current_scope;
  if (scope != nullptr && scope->trace_ != nullptr && scope->trace_ == old.trace) {
    scope->record_death(old.birth);
  }
  switch (old.home) {
    case Home::slab:  // it charges for itself
      old.slab->deallocate(reinterpret_cast<std::byte*>(block), old.bytes);
      return;
    case Home::pages: ::munmap(block, old.bytes); break;
    case Home::heap:
      std::free(block);
      if (scope != nullptr) {
        scope->count_heap(-static_cast<std::int64_t>(old.bytes));
      }
      break;
  }
  old.meter->release(old.bytes);
}

}  // namespace pantile::detail
