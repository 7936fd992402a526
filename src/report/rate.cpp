#include "report/rate.hpp"

namespace pantile {

void RateMeter::add(Time now, std::uint64_t pixels_done) {
  // A point each 1/256 of the window is plenty; the newest always counts.
  const bool close = points_.size() > 1 && now - points_[points_.size() - 2].time < window_ / 256;
  if (close) {
    points_.back() = {now, pixels_done};
  } else {
    points_.push_back({now, pixels_done});
  }
  // Old points go, unless the window would hold no progress without them: one page may take longer than the window.
  while (points_.size() > 2 && points_[1].time <= now - window_ && points_.back().pixels > points_[1].pixels) {
    points_.pop_front();
  }
  // While nothing at all gets done, thin out rather than grow.
  if (points_.size() > 1024) {
    points_.erase(points_.begin() + static_cast<std::ptrdiff_t>(points_.size()) - 2);
  }
}

double RateMeter::pixels_per_s() const noexcept {
  if (points_.size() < 2 || points_.back().pixels <= points_.front().pixels) {
    return 0;
  }
  const std::chrono::duration<double> time = points_.back().time - points_.front().time;
  return time.count() > 0 ? static_cast<double>(points_.back().pixels - points_.front().pixels) / time.count() : 0;
}

std::optional<double> RateMeter::eta_s(std::uint64_t pixels_left) const noexcept {
  const double rate = pixels_per_s();
  return rate > 0 ? std::optional{static_cast<double>(pixels_left) / rate} : std::nullopt;
}

}  // namespace pantile
