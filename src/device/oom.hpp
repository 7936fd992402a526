#pragma once
// The kernel's OOM killer: whom it takes first, and whether it came.

#include <cstdint>
#include <utility>

namespace pantile {

/// This process is the first to go when memory runs out, before its rank and the machine's other work.
void prefer_for_oom() noexcept;

/// What the OOM killer did lately, so that what it did long ago is not taken for the cause of what happens now. Time is
/// an argument, seconds of a clock that never goes back.
class RecentOomKills {
 public:
  /// The kernel counts before it kills, and a process with much memory takes seconds to go.
  static constexpr double least_s = 5;

  RecentOomKills(std::uint64_t count, double now_s) : before_{count}, last_{count}, looked_s_{now_s} {}
  /// To be called often; `count` is asked each few seconds only.
  template <class Count>
  void look(double now_s, Count count) {
    if (now_s - looked_s_ >= least_s) {
      before_ = std::exchange(last_, count());
      looked_s_ = now_s;
    }
  }
  /// How many were added to the count in the last five to ten seconds.
  [[nodiscard]] std::uint64_t lately(std::uint64_t count) const noexcept {
    return count > before_ ? count - before_ : 0;
  }

 private:
  std::uint64_t before_;  ///< at the look before the last
  std::uint64_t last_;
  double looked_s_;
};

/// Processes that the OOM killer has ended so far, in this process's control group if it can be read, else on the
/// machine. Only its growth means something. 0 if nothing can be read.
[[nodiscard]] std::uint64_t count_oom_kills() noexcept;

}  // namespace pantile
