#pragma once
// Speed and time to go from predicted cost (pixels), not from counts: images differ in size. Pure.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace pantile {

/// Feed it now and then with the total done so far; it looks back over the last minute or so.
class RateMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit RateMeter(std::chrono::seconds window = std::chrono::seconds{60}) : window_{window} {}
  /// Times must not go back. Keeps at most a few hundred points.
  void add(Time now, std::uint64_t pixels_done);
  /// 0 until two points are known.
  [[nodiscard]] double pixels_per_s() const noexcept;
  /// Nothing while the speed is unknown or zero.
  [[nodiscard]] std::optional<double> eta_s(std::uint64_t pixels_left) const noexcept;

 private:
  struct Point {
    Time time;
    std::uint64_t pixels;
  };
  std::chrono::seconds window_;
  std::deque<Point> points_;
};

}  // namespace pantile
