#pragma once
// Where the engine's big blocks live: one slab per lane, since malloc's RSS grows to 2.7 × of what is in use, and a
// mmap per block costs 10 to 20 % of all CPU time in page faults (measured).
//
// A slab is one virtual range. Blocks are placed at the lowest address where they fit; pages below the highest end ever
// used (the high-water mark) stay resident and charged from one tile to the next, and nothing above it is.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "device/meter.hpp"

namespace pantile {

/// One lane's range of memory. Thread-safe: an output may be freed by another thread than its lane's.
class Slab {
 public:
  /// Reserves addresses, no memory; takes half of them if the system refuses (ulimit -v), and throws Error below 64
  /// MiB.
  explicit Slab(Meter& meter, std::size_t virtual_bytes = std::size_t{64} << 30U);
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// A block of at least `bytes`, page-aligned; nullptr if the meter refuses or the range is full.
  [[nodiscard]] std::byte* try_allocate(std::size_t bytes);
  /// The same at `offset` bytes from the start, a multiple of the page size; nullptr also if that place is taken.
  [[nodiscard]] std::byte* try_allocate_at(std::size_t offset, std::size_t bytes);
  /// `bytes` as allocated.
  void deallocate(std::byte* block, std::size_t bytes) noexcept;

  /// Gives the pages above the last live block back to the system and releases their charge; returns how many bytes.
  std::size_t trim() noexcept;

  /// Starts a new measurement for peak_bytes().
  void reset_peak() noexcept;
  /// The highest end of a block since reset_peak(), in bytes from the start: what this slab needs for that work.
  [[nodiscard]] std::size_t peak_bytes() const noexcept;
  /// What is charged now.
  [[nodiscard]] std::size_t high_water() const noexcept;
  [[nodiscard]] std::size_t live_bytes() const noexcept;

 private:
  [[nodiscard]] std::byte* take(std::map<std::size_t, std::size_t>::iterator gap, std::size_t offset,
                                std::size_t bytes);
  [[nodiscard]] std::size_t top() const noexcept;

  Meter& meter_;
  mutable std::mutex mutex_;
  std::byte* base_ = nullptr;
  std::size_t virtual_bytes_;
  std::size_t high_water_ = 0;
  std::size_t peak_ = 0;
  std::size_t live_ = 0;
  std::map<std::size_t, std::size_t> gaps_;  ///< free ranges: offset → bytes, never adjacent
};

/// The slabs of one device: a lane borrows one for each run, the one given back last first. Thread-safe.
class SlabPool {
 public:
  /// The meter must outlive the pool; the pool must outlive the sessions that use it, and their outputs.
  explicit SlabPool(Meter& meter) noexcept : meter_{meter} {}

  /// A slab for one run and its output.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : pool_{other.pool_}, slab_{std::exchange(other.slab_, nullptr)} {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(slab_, other.slab_);
      return *this;
    }
    ~Lease();
    [[nodiscard]] Slab& slab() const noexcept { return *slab_; }

   private:
    friend class SlabPool;
    Lease(SlabPool& pool, Slab& slab) noexcept : pool_{&pool}, slab_{&slab} {}
    SlabPool* pool_;
    Slab* slab_;
  };
  [[nodiscard]] Lease lease();

  /// Trims the slabs that no run holds: call it when lanes were closed, and before the resident size is read. Returns
  /// how many bytes were released.
  std::size_t trim_idle() noexcept;
  /// Trims them all: those that a run holds, as soon as it gives them back. Call it when tiles become smaller.
  void trim_all() noexcept;

  [[nodiscard]] Meter& meter() const noexcept { return meter_; }

 private:
  Meter& meter_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<Slab*> idle_;
  std::vector<Slab*> to_trim_;  ///< when they are given back
};

}  // namespace pantile
