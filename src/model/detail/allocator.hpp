#pragma once
// The allocator that ONNX Runtime uses instead of its own arena. Each block is charged to a Meter before it is taken.
//
// A refused block throws std::bad_alloc through ONNX Runtime, which turns it into a status of that one run. Returning
// nullptr, as its documentation suggests, ends the process in std::terminate (seen in 1.23.2 and 1.31.1).
//
// Whose meter and slab a block belongs to is known by the thread: Session puts an EngineScope around each call.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "device/placement.hpp"
#include "device/slab.hpp"
#include "model/detail/ort.hpp"

namespace pantile::detail {

/// While it lives, what the engine allocates on this thread is charged to `slabs.meter()`. Scopes do not nest.
class EngineScope {
 public:
  /// For opening a session: big blocks are weights that stay, and get pages of their own.
  explicit EngineScope(SlabPool& slabs);
  /// For a run: big blocks come from a slab leased for it, at their planned places as long as the run keeps to the
  /// plan. `trace` is filled if it is given.
  EngineScope(SlabPool& slabs, std::vector<PlannedBlock> plan, Trace* trace);
  ~EngineScope();
  EngineScope(const EngineScope&) = delete;
  EngineScope& operator=(const EngineScope&) = delete;

  /// The block that was refused, if one was.
  [[nodiscard]] std::optional<std::uint64_t> refused_bytes() const noexcept { return refused_bytes_; }
  /// The most that was taken at once: the slab's highest address, plus small blocks.
  [[nodiscard]] std::uint64_t peak_bytes() const noexcept;
  /// The slab of a run, for whoever keeps the output. Ends what this scope can allocate.
  [[nodiscard]] SlabPool::Lease hand_over_lease() &&;

 private:
  friend class MeteringAllocator;
  void count_heap(std::int64_t bytes) noexcept;
  [[nodiscard]] std::uint32_t record_birth(std::size_t payload_bytes);
  void record_death(std::uint32_t block) noexcept;
  [[nodiscard]] std::byte* take_from_slab(std::size_t payload_bytes);

  SlabPool& slabs_;
  std::optional<SlabPool::Lease> lease_;
  std::vector<PlannedBlock> plan_;  ///< by the order of births; empty once the run has left it
  Trace* trace_ = nullptr;
  std::uint32_t births_ = 0;
  std::optional<std::uint64_t> refused_bytes_;
  std::int64_t heap_now_ = 0;
  std::int64_t heap_peak_ = 0;
};

/// One per process: ONNX Runtime knows one CPU allocator per environment. Thread-safe.
class MeteringAllocator : public OrtAllocator {
 public:
  MeteringAllocator();
  MeteringAllocator(const MeteringAllocator&) = delete;
  MeteringAllocator& operator=(const MeteringAllocator&) = delete;

  [[nodiscard]] const OrtMemoryInfo* info() const noexcept { return info_; }

 private:
  enum class Home : std::uint8_t;
  struct Block;
  static void* allocate(std::size_t payload_bytes);
  static void deallocate(void* payload) noexcept;
  static Block* take(EngineScope* scope, std::size_t payload_bytes);

  Ort::MemoryInfo info_;
};

}  // namespace pantile::detail
