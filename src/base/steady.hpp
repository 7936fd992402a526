#pragma once
// A clock that never goes back, whatever people do to the time of day. Its zero means nothing.

#include <chrono>
#include <cstdint>

namespace pantile {

[[nodiscard]] inline std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
[[nodiscard]] inline double steady_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace pantile
