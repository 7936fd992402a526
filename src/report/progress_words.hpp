#pragma once
// How figures read in progress: the same in the block and in the log. Pure.

#include <string>

#include "report/live.hpp"

namespace pantile::words {

/// "02:14", "3:02:14".
[[nodiscard]] std::string duration(WallTime::duration time);
/// "20.7 Mpx", "1.40 Gpx".
[[nodiscard]] std::string pixels(double count);
/// "168 Mpx/s".
[[nodiscard]] std::string rate(double pixels_per_s);
/// "ETA 01:48"; "ETA ~01:48" while less than 5 % is done; "waiting for space" while that is what it does.
[[nodiscard]] std::string eta(const LiveState& state);

}  // namespace pantile::words
