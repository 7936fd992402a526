#pragma once
// The memory of a device that all its lanes and sessions share: under a cap, and quick to give out again.
//
// A charge comes before the memory, as everywhere (device/meter.hpp), and covers what is kept for reuse too. Small
// blocks are cut from chunks of 2 MiB, since that is what CUDA takes for the smallest one; larger ones are multiples of
// it.
//
// A block that comes back in the middle of a run may still be worked on: the host is ahead of the stream. So what a
// thread gave back is given out again to that thread alone, whose stream keeps the order; for others it has to go
// through the device, which waits.

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "device/device.hpp"
#include "device/meter.hpp"

namespace pantile {

/// Why there was no memory. A lower cap can be lived with by smaller tiles; a device that others have filled needs a
/// smaller budget first.
enum class MemoryRefusal : std::uint8_t { none, by_cap, by_device };

/// Thread-safe.
class DevicePool {
 public:
  static constexpr std::size_t chunk_bytes = std::size_t{2} << 20U;

  /// Both must outlive the pool, and the pool all its blocks.
  DevicePool(Device& device, Meter& meter) noexcept : device_{device}, meter_{meter} {}
  /// Gives everything back; no block may be in use.
  ~DevicePool();
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  /// At least `bytes`, aligned to 256; nullptr if cap or device refuse, even after all that is kept went back.
  [[nodiscard]] void* try_allocate(std::size_t bytes) noexcept;
  /// Keeps it for this thread, or gives it back to the device while the meter is above its cap.
  void deallocate(void* block) noexcept;
  [[nodiscard]] bool owns(const void* block) const noexcept;

  /// Gives back to the device what is kept and not in use; returns how many bytes. After Meter::set_cap: brings the
  /// charge down as far as it can be now. The rest follows as blocks come back.
  std::size_t trim() noexcept;

  /// Why this thread's last try_allocate, of any pool, gave nullptr; none if it did not.
  [[nodiscard]] static MemoryRefusal last_refusal() noexcept;

  [[nodiscard]] std::uint64_t live_bytes() const noexcept;  ///< in use, rounded as charged in blocks
  [[nodiscard]] std::uint64_t held_bytes() const noexcept;  ///< of the device: charged, in use or kept
  [[nodiscard]] Meter& meter() const noexcept { return meter_; }

 private:
  struct Chunk {
    std::byte* base = nullptr;
    std::size_t block_bytes = 0;
    std::size_t in_use = 0;
  };
  struct Live {
    std::size_t bytes = 0;
    Chunk* chunk = nullptr;  ///< of a small block
  };
  struct Kept {
    void* block = nullptr;
    Chunk* chunk = nullptr;
  };
  using KeptBySize = std::multimap<std::size_t, Kept>;

  [[nodiscard]] void* take_kept(std::size_t least, std::size_t most);
  [[nodiscard]] void* take_kept_of(std::thread::id thread, std::size_t least, std::size_t most);
  [[nodiscard]] void* from_device(std::size_t bytes);
  [[nodiscard]] bool cut_chunk(std::size_t block_bytes);
  void give_back(void* block, std::size_t bytes) noexcept;
  /// Gives back until that was `enough`; returns how many bytes.
  std::size_t trim_some(std::uint64_t enough) noexcept;

  Device& device_;
  Meter& meter_;
  mutable std::mutex mutex_;
  std::unordered_map<const void*, Live> live_;
  std::map<std::thread::id, KeptBySize> kept_;  ///< by the thread that gave them back; no thread: never used
  std::map<std::byte*, Chunk> chunks_;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace pantile
