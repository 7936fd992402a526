#pragma once

#include <algorithm>

#include "report/live.hpp"

namespace pantile {

/// Live states of several starts of one run as those of one: the time counts from the first start on, and what was
/// computed but lost with a rank does not take the bar back; it stands still until that is made again. Pure.
class Continued {
 public:
  [[nodiscard]] LiveState operator()(LiveState live) {
    if (first_epoch_ == 0) {
      first_epoch_ = live.epoch;
      started_ = live.started;
      before_ = live.pixels_before;
    }
    farthest_ = std::max(farthest_, live.pixels_done);
    live.pixels_done = std::min(farthest_, live.pixels);
    live.started = started_;
    live.pixels_before = before_;
    return live;
  }

 private:
  std::uint32_t first_epoch_ = 0;  ///< 0: nothing was seen yet
  WallTime started_;
  std::uint64_t before_ = 0;
  std::uint64_t farthest_ = 0;
};

}  // namespace pantile
