#pragma once
// How long a run will take: the scheduler itself is played against ranks of known speeds.

#include <cstdint>
#include <span>
#include <vector>

#include "plan/scheduler.hpp"
#include "plan/work.hpp"

namespace pantile {

struct Forecast {
  double makespan_s = 0;   ///< from the first assignment until the last item is computed
  double bound_s = 0;      ///< all work over all speed: no order of the items is quicker
  bool is_played = false;  ///< false: there are too many items to play them, the makespan is the bound
};

/// More items than this are not played: their order matters little then, and playing them takes seconds.
inline constexpr std::size_t most_played_items = 200'000;

/// `seconds`: of each item of `work`, in its order, on a rank of speed 1. `speeds`: of the ranks; positive. Pure.
/// Precondition: there is a rank.
[[nodiscard]] Forecast forecast(const Work& work, std::span<const double> seconds, std::span<const double> speeds,
                                SchedulerSettings settings);

}  // namespace pantile
