#include "plan/restarts.hpp"

namespace pantile {

std::optional<std::chrono::milliseconds> Restarts::after_loss(const Settled& now) {
  // Another run than before (--fresh) has begun from nothing.
  const bool has_gained = now.run_id == last_.run_id ? now.records > last_.records : now.records > 0;
  const bool is_first = count_ == 0;
  last_ = now;
  in_vain_ = has_gained ? 0 : in_vain_ + (is_first ? 0 : 1);
  if (in_vain_ >= most_in_vain) {
    return std::nullopt;
  }
  ++count_;
  constexpr std::chrono::milliseconds shortest{500};
  return shortest * (1 << in_vain_);
}

}  // namespace pantile
