#include "run/space_watch.hpp"

#include <algorithm>
#include <utility>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

// A chunk of 256 KiB that is begun for each output, the index, the config and the models' digests, what HDF5 rounds up.
constexpr std::uint64_t beside_the_pixels = MiB;
constexpr double longest_pause_s = 30;

}  // namespace

std::uint64_t SpaceNeeds::least() const noexcept {
  return std::min(in_flight + 2 * workers * unit, left) + workers * beside_the_pixels + reserve;
}

std::uint64_t SpaceNeeds::enough() const noexcept {
  return std::min(in_flight + 4 * workers * unit, left) + 2 * workers * beside_the_pixels + reserve;
}

void SpaceWatch::hold(Space space, double now_s) {
  space_ = space;
  since_s_ = since_s_.value_or(now_s);
}

void SpaceWatch::lost_a_shard(double now_s) {
  if (space_ != Space::full) {
    try_again_s_ = now_s + pause_s_;
    pause_s_ = std::min(2 * pause_s_, longest_pause_s);
  }
  has_lost_ = true;
  hold(Space::full, now_s);
}

void SpaceWatch::committed() {
  if (space_ == Space::enough) {
    since_s_.reset();
    has_lost_ = false;
    pause_s_ = 1;
  }
}

std::optional<SpaceWatch::News> SpaceWatch::news(double now_s) {
  const bool has_waited =
      space_ != Space::enough && now_s - *since_s_ >= std::chrono::duration<double>(patience_).count();
  const bool gives_up = has_waited && !has_given_up_;
  has_given_up_ = has_given_up_ || gives_up;
  if (std::exchange(told_, space_) == space_ && !gives_up) {
    return std::nullopt;
  }
  return News{space_, gives_up};
}

}  // namespace pantile
