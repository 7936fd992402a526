#pragma once
// Whether to start the ranks again after some were lost. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pantile {

/// What the journal of a run says for good: it only grows, but for a torn tail.
struct Settled {
  std::string run_id;         ///< empty: there is no run yet
  std::uint64_t records = 0;  ///< shards committed and items given up, over all epochs
  bool operator==(const Settled&) const = default;
};

/// Restarts are worth it as long as they bring the run forward. Three in a row that leave the journal as it was are
/// not: then something takes the ranks away that a restart does not mend.
class Restarts {
 public:
  static constexpr int most_in_vain = 3;

  /// `before`: as the first start finds the journal.
  explicit Restarts(Settled before) : last_{std::move(before)} {}

  /// The ranks were lost, and left the journal so. The pause before the next start, which grows while nothing is
  /// gained; nothing: give up.
  [[nodiscard]] std::optional<std::chrono::milliseconds> after_loss(const Settled& now);

  /// How many starts were advised so far.
  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  Settled last_;
  int in_vain_ = 0;  ///< restarts in a row that gained nothing
  int count_ = 0;
};

}  // namespace pantile
