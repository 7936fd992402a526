#pragma once
// The accountant of one device: every byte that we or the engine take on it is charged here first.
//
// A charge comes before the memory is taken and is released after it is given back, so that the true use never passes
// what is counted here, and what is counted here never passes the cap.

#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>

namespace pantile {

/// Counts and caps the bytes of one device. Lock-free; any thread may call anything at any time.
class Meter {
 public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  explicit Meter(std::uint64_t cap = unlimited) noexcept : cap_{cap} {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  /// Charges `bytes`, or nothing and false if that would pass the cap. Invariant: a charge never lifts current() over
  /// cap().
  [[nodiscard]] bool try_charge(std::uint64_t bytes) noexcept;
  /// The same, but throws std::bad_alloc.
  void charge(std::uint64_t bytes);
  /// Precondition: so many bytes are charged.
  void release(std::uint64_t bytes) noexcept;

  [[nodiscard]] std::uint64_t current() const noexcept { return current_.load(std::memory_order_relaxed); }
  /// The largest current() since the start or the last reset_peak().
  [[nodiscard]] std::uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  void reset_peak() noexcept;

  [[nodiscard]] std::uint64_t cap() const noexcept { return cap_.load(std::memory_order_relaxed); }
  /// May be lower than current(): nothing is taken back, and new charges fail until enough is released.
  void set_cap(std::uint64_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> current_{0};
  std::atomic<std::uint64_t> peak_{0};
  std::atomic<std::uint64_t> cap_;
};

/// Bytes that somebody else allocates (a decoder's hidden buffers), charged for as long as this lives.
class Charge {
 public:
  Charge() = default;
  /// Throws std::bad_alloc if the meter refuses. The meter must outlive the charge.
  Charge(Meter& meter, std::uint64_t bytes) : meter_{&meter}, bytes_{bytes} { meter.charge(bytes); }
  /// Counted by `part`, too, which has no cap: how much of the device is used for one purpose.
  Charge(Meter& meter, Meter& part, std::uint64_t bytes) : Charge{meter, bytes} {
    part.charge(bytes);
    part_ = &part;
  }
  Charge(Charge&& other) noexcept
      : meter_{std::exchange(other.meter_, nullptr)},
        part_{std::exchange(other.part_, nullptr)},
        bytes_{std::exchange(other.bytes_, 0)} {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(meter_, other.meter_);
    std::swap(part_, other.part_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (meter_ != nullptr) {
      meter_->release(bytes_);
    }
    if (part_ != nullptr) {
      part_->release(bytes_);
    }
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Meter* meter_ = nullptr;
  Meter* part_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace pantile
