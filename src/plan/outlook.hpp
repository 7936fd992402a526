#pragma once

#include <functional>
#include <optional>

#include "plan/rank_pool.hpp"

namespace pantile {

/// What is predicted of all ranks at one moment. Near the end of a run many ranks ask the same two questions, so the
/// answers are computed once, when first asked: O(ranks), then O(1) a rank. Lives no longer than the dispatch after one
/// event.
class Outlook {
 public:
  Outlook(const RankPool& ranks, double now_s) : ranks_{ranks}, now_s_{now_s} {}

  /// Seconds until the other ranks have done what they hold and `waiting_px` more, if it flowed like water; infinity
  /// without others. A lower bound of what they need.
  [[nodiscard]] double others_done_s(const Rank& except, std::uint64_t waiting_px);

  /// Seconds until the first of the other ranks could have done an item, after what it holds; infinity without one that
  /// `may_take` it.
  [[nodiscard]] double earliest_elsewhere_s(const Rank& except, Rank::ItemIndex item, std::uint64_t px,
                                            const std::function<bool(const Rank&)>& may_take);

  /// A rank was given work: the answers have changed.
  void forget() {
    held_px_.reset();
    earliest_.reset();
  }

 private:
  struct Earliest {
    Rank::ItemIndex item = 0;
    RankId first{-1};
    double first_s = 0;
    double second_s = 0;
  };
  const RankPool& ranks_;
  double now_s_;
  std::optional<double> held_px_;     ///< what all ranks together have still to do
  std::optional<Earliest> earliest_;  ///< of the item asked for last
};

}  // namespace pantile
