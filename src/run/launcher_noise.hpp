#pragma once

#include <string_view>

namespace pantile {

/// Tells mpirun's own talk from what ranks say. mpirun frames its messages with lines of dashes; the frame and what is
/// in it is its talk. Feed it every line in order.
class LauncherNoise {
 public:
  [[nodiscard]] bool hides(std::string_view line);

 private:
  bool framed_ = false;
};

}  // namespace pantile
