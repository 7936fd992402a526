#pragma once
// Our own resident memory, as the kernel counts it: the part of the cap that no meter sees.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "device/meter.hpp"

namespace pantile {

/// What the kernel hands out memory in: 4 KiB on x86-64, up to 64 KiB elsewhere.
[[nodiscard]] std::size_t page_bytes() noexcept;

/// `bytes`, rounded up to whole pages.
[[nodiscard]] inline std::size_t whole_pages(std::size_t bytes) noexcept {
  return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

/// Resident bytes of this process, library pages included. Exact (smaps_rollup), about a millisecond: not for hot
/// loops.
[[nodiscard]] std::uint64_t resident_bytes();

/// The same now, and the most since this program began, by counters that may be wrong by 64 pages a core: cheap at any
/// size.
struct ResidentNow {
  std::uint64_t bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t shared_bytes = 0;  ///< of bytes: shared memory, the arena
};
[[nodiscard]] ResidentNow resident_now();

/// Those of them that no other process has mapped, without shared memory: what this process takes of a budget that it
/// shares with a child of the same program. Bytes.
[[nodiscard]] std::uint64_t private_resident_bytes();

/// What processes of ours have of the memory that DeviceMonitor counts: pages of their own and shared ones, without
/// those of files. Shared ones (the arena) are counted once, as the process has them that has most. Processes that are
/// gone have nothing. Rough, by up to 256 KiB a core, and cheap: 50 µs a process. Bytes.
[[nodiscard]] std::uint64_t used_by_processes(std::span<const int> process_ids);

/// From here on malloc takes large blocks from the kernel and gives them back when they are freed. Left alone, glibc
/// raises the size from which it does so with each block that it sees, and keeps what was freed: RSS grew to 2.7 × of
/// what was in use. Call it before the first threads.
void keep_heap_small() noexcept;

/// Parts of programs and libraries that are in memory as they are on disk, as they were loaded when this was made. What
/// is loaded later is left alone: the loader may be in the middle of it.
class CleanPages {
 public:
  /// Milliseconds. No other thread may be loading a library. Never throws: what is not understood is left out.
  CleanPages() noexcept;
  /// Gives their pages back; what is used again comes back from the page cache, at some microseconds a page. Most of
  /// what loading a program touches is never used again: 47 MiB became 21 after the first tiles.
  void drop() const noexcept;

 private:
  struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
  };
  std::vector<Range> ranges_;
};
inline void drop_clean_pages() noexcept { CleanPages{}.drop(); }

/// Own resident bytes minus what `meter` has charged: program, libraries, packed weights, malloc's leftovers. Returns
/// malloc's free pages to the kernel first. Read it after sessions are open, probes done and SlabPool::trim_idle(); the
/// meter's budget is then: cap − unmetered_bytes − memory_reserve_bytes.
[[nodiscard]] std::uint64_t unmetered_bytes(const Meter& meter);

/// Kept free for what grows after unmetered_bytes() was read: 2.3 × the largest excess seen in 440 runs (1.74 MiB).
inline constexpr std::uint64_t memory_reserve_bytes = std::uint64_t{4} << 20U;

/// Kept free for pages that come back after CleanPages::drop(): of decoders, of HDF5, of the engine's other kernels.
/// 8 MiB were the most seen.
inline constexpr std::uint64_t pages_coming_back = std::uint64_t{10} << 20U;

}  // namespace pantile
