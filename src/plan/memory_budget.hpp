#pragma once
// How much of a device we may take now, when others take memory too. Pure; time is an argument.
//
//   MemoryBudget budget{{.cap_bytes = cap, .leave_bytes = leave, .floor_bytes = smallest, .workers = 2}};
//   each second:                budget.look({.time_s = now, .limit_bytes = …, .used_bytes = …, .used_by_us_bytes = …});
//   pantile ctl RUN set …cap=:  budget.set_terms({…});
//   before each tile:           meter.set_cap(budget.in_force() − …);

#include <cstdint>
#include <deque>
#include <optional>

namespace pantile {

/// What was asked for. Bytes.
struct MemoryTerms {
  std::uint64_t cap_bytes = 0;    ///< configured, of this worker
  std::uint64_t leave_bytes = 0;  ///< of the device, which others find free
  std::uint64_t floor_bytes = 0;  ///< below this nothing can be worked on; cap_bytes wins where that is less
  int workers = 1;                ///< of this run that share the device
};

/// One look at a device. Bytes; page cache is not counted as used.
struct MemorySeen {
  double time_s = 0;  ///< of a clock that never goes back
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;  ///< by all
  std::uint64_t used_by_us_bytes = 0;
  /// By all workers of the run, ours included, if that is known. It is what tells another worker from a stranger.
  std::optional<std::uint64_t> used_by_workers_bytes;
};

/// The cap in force on one device, for one worker.
///
/// What strangers leave, `limit − leave − others`, is shared equally by the workers. Where only our own use is known
/// other workers look like strangers, and what is free is shared: `ours + free / workers`.
///
/// It shrinks with the look that shows the need, and grows only when all looks of a while showed room for a step worth
/// having; the while grows each time that it was too short. Between floor and cap it takes one of 65 values, so that a
/// noisy neighbour cannot make a new plan necessary each second.
///
/// Invariant after each call: in_force() ≤ cap, and in_force() ≥ min(floor, cap).
class MemoryBudget {
 public:
  static constexpr double quiet_s = 10;  ///< without need, before it grows
  static constexpr double quiet_most_s = 320;
  static constexpr double worth_having = 0.05;  ///< of the cap in force

  explicit MemoryBudget(const MemoryTerms& terms) noexcept : terms_{terms}, in_force_{terms.cap_bytes} {}

  /// Returns in_force().
  std::uint64_t look(const MemorySeen& seen);
  /// At once: a lower cap, and a higher one as far as the last look showed room.
  void set_terms(const MemoryTerms& terms);

  [[nodiscard]] std::uint64_t in_force() const noexcept { return in_force_; }
  [[nodiscard]] const MemoryTerms& terms() const noexcept { return terms_; }
  /// Others keep us below our cap.
  [[nodiscard]] bool is_pressed() const noexcept { return in_force_ < terms_.cap_bytes; }
  /// What others have, by the last look: strangers, and workers that nothing is known of.
  [[nodiscard]] std::uint64_t others_bytes() const noexcept { return others_; }
  /// How far the floor is above what there is room for: we take it all the same, and the machine may run out.
  [[nodiscard]] std::uint64_t missing_bytes() const noexcept;

 private:
  struct Room {
    double time_s;
    std::uint64_t bytes;
  };

  [[nodiscard]] std::uint64_t room_in(const MemorySeen& seen) const noexcept;
  [[nodiscard]] std::uint64_t allowed(std::uint64_t room) const noexcept;
  void keep(Room room);

  MemoryTerms terms_;
  std::uint64_t in_force_;
  std::uint64_t others_ = 0;
  std::optional<MemorySeen> seen_;  ///< the last look
  std::deque<Room> low_;            ///< of the last wait_s_, rising: the first one is the least
  double since_s_ = 0;              ///< of the last change, or the first look
  double wait_s_ = quiet_s;
  std::optional<double> grew_s_;  ///< when it grew last
};

}  // namespace pantile
