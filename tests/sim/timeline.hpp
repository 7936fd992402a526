#pragma once
// Virtual time, chance, and what is to happen when: the only three things that a simulated world hangs on. One seed
// makes all three the same again.

#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pantile::sim {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_{seed} {}
  /// In [0, 1).
  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1.0p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  bool happens(double probability) { return uniform() < probability; }
  /// In [0, end).
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  /// Many short ones, few long ones.
  double exponential(double mean) { return std::exponential_distribution<double>{1 / mean}(random_); }
  std::mt19937_64& source() { return random_; }

 private:
  std::mt19937_64 random_;
};

class Timeline {
 public:
  [[nodiscard]] double now_s() const { return static_cast<double>(now_us_) / 1e6; }
  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  /// After the others of the same time.
  void after(double seconds, std::function<void()> what) {
    at(now_us_ + static_cast<std::int64_t>(seconds * 1e6), std::move(what));
  }
  /// The same, at a time that is not before now.
  void at(std::int64_t us, std::function<void()> what) { coming_.push({us, order_++, std::move(what)}); }
  /// Lets the next thing happen. Precondition: there is one.
  void go_on() {
    expect(!coming_.empty(), "somebody has something to do");
    // Moved out before it is popped: what happens may add to the queue.
    const std::function<void()> what = std::move(const_cast<Coming&>(coming_.top()).what);
    now_us_ = coming_.top().at_us;
    coming_.pop();
    what();
  }
  [[nodiscard]] std::uint64_t happened() const { return order_ - coming_.size(); }

 private:
  struct Coming {
    std::int64_t at_us = 0;
    std::uint64_t order = 0;
    std::function<void()> what;
    bool operator<(const Coming& other) const {
      return at_us != other.at_us ? at_us > other.at_us : order > other.order;
    }
  };
  std::int64_t now_us_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Coming> coming_;
};

}  // namespace pantile::sim
