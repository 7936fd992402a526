#pragma once
// Our own resident memory, as the kernel counts it: the part of the cap that no meter sees.

#include <cstddef>
#include <cstdint>
#include <span>

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

/// Those of them that no other process has mapped, without shared memory: what this process takes of a budget that it
/// shares with a child of the same program. Bytes.
[[nodiscard]] std::uint64_t private_resident_bytes();

/// What processes of ours have of the memory that DeviceMonitor counts: pages of their own and shared ones, without
/// those of files. Shared ones (the arena) are counted once, as the process has them that has most. Processes that are
/// gone have nothing. Rough, by up to 256 KiB a core, and cheap: 50 µs a process. Bytes.
[[nodiscard]] std::uint64_t used_by_processes(std::span<const int> process_ids);

/// Own resident bytes minus what `meter` has charged: program, libraries, packed weights, malloc's leftovers. Returns
/// malloc's free pages to the kernel first. Read it after sessions are open, probes done and SlabPool::trim_idle(); the
/// meter's budget is then: cap − unmetered_bytes − memory_reserve_bytes.
[[nodiscard]] std::uint64_t unmetered_bytes(const Meter& meter);

/// Kept free for what grows after unmetered_bytes() was read: 2.3 × the largest excess seen in 440 runs (1.74 MiB).
inline constexpr std::uint64_t memory_reserve_bytes = std::uint64_t{4} << 20U;

}  // namespace pantile
