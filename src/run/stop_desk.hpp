#pragma once
// Every way in which a run is asked for something, in one place: signals, requests in RUN/control, a supervisor that is
// gone. All wishes to stop end in one drain.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "report/live.hpp"
#include "run/control.hpp"
#include "run/lifeline.hpp"
#include "store/format.hpp"

namespace pantile {

struct StopWish {
  std::string why;        ///< "a signal asks to stop"
  double patience_s = 0;  ///< for what has begun
};

struct Wishes {
  std::optional<StopWish> stop;      ///< a signal is told again and again
  std::vector<ControlRequest> sets;  ///< "set KEY=VALUE", to be answered by who carries them out
};

/// Rank 0 only. Cheap enough to be asked in every round of its loop: files are looked at about every 200 ms.
class StopDesk {
 public:
  StopDesk(RunLayout layout, std::uint32_t epoch);

  /// Answers in `live` the requests that it can.
  [[nodiscard]] Wishes look(LiveState& live);

 private:
  using Clock = std::chrono::steady_clock;

  RunLayout layout_;
  std::uint32_t epoch_;
  SupervisorWatch supervisor_;
  Clock::time_point next_look_;
};

}  // namespace pantile
