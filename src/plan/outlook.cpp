#include "plan/outlook.hpp"

#include <limits>

namespace pantile {

double Outlook::others_done_s(const Rank& except, std::uint64_t waiting_px) {
  if (!held_px_) {
    held_px_ = ranks_.held_px(now_s_);
  }
  const double px = *held_px_ - except.busy_s(now_s_) * except.speed.px_per_s() + static_cast<double>(waiting_px);
  // Not just > 0: what is left of a sum after its only term is taken away may be a rounding error.
  const double px_per_s = ranks_.total_px_per_s() - except.speed.px_per_s();
  return px_per_s > 1e-9 * ranks_.total_px_per_s() ? px / px_per_s : std::numeric_limits<double>::infinity();
}

double Outlook::earliest_elsewhere_s(const Rank& except, Rank::ItemIndex item, std::uint64_t px,
                                     const std::function<bool(const Rank&)>& may_take) {
  if (!earliest_ || earliest_->item != item) {
    constexpr double never = std::numeric_limits<double>::infinity();
    earliest_ = Earliest{.item = item, .first_s = never, .second_s = never};
    for (const auto& [id, rank] : ranks_.all()) {
      if (rank.hangs || !may_take(rank)) {
        continue;
      }
      const double done_s = rank.busy_s_with(px, now_s_);
      if (done_s < earliest_->first_s) {
        earliest_->second_s = earliest_->first_s;
        earliest_->first_s = done_s;
        earliest_->first = id;
      } else if (done_s < earliest_->second_s) {
        earliest_->second_s = done_s;
      }
    }
  }
  return earliest_->first == except.id ? earliest_->second_s : earliest_->first_s;
}

}  // namespace pantile
