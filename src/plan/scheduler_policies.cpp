// The policies that are there to compare with: `dynamic`, one queue in the order of the catalog, and `equal`, a share
// of the catalog for each rank. Neither looks at sizes or speeds. What a rank is lost with, or fails, is made by the
// others under both: a policy may cost time, never a result.

#include <algorithm>

#include "base/error.hpp"
#include "plan/scheduler.hpp"

namespace pantile {

bool Scheduler::may_take(const Rank& rank, ItemIndex at) const { return fits(rank, at) && !should_avoid(rank, at); }

std::optional<Scheduler::ItemIndex> Scheduler::next_in_order(const Rank& rank) const {
  auto at = waiting_.first();
  while (at && !may_take(rank, *at)) {
    at = waiting_.after(*at);
  }
  return at;
}

/// At the first dispatch, when the ranks are there: who joins later has no share.
void Scheduler::share_out() {
  if (settings_.policy != ScheduleConfig::Policy::equal || !shares_.empty() || ranks_.all().empty()) {
    return;
  }
  const auto items = static_cast<std::uint64_t>(items_.size());
  const auto ranks = static_cast<std::uint64_t>(ranks_.all().size());
  for (const auto& [id, rank] : ranks_.all()) {
    const auto share = static_cast<std::uint64_t>(shares_.size());
    shares_.push_back({.owner = id,
                       .begin = static_cast<ItemIndex>(items * share / ranks),
                       .end = static_cast<ItemIndex>(items * (share + 1) / ranks)});
  }
}

/// Both in the share of one rank; always so where there are no shares. Precondition: first < second.
bool Scheduler::is_one_share(ItemIndex first, ItemIndex second) const {
  return std::none_of(shares_.begin(), shares_.end(),
                      [&](const Share& share) { return first < share.begin && share.begin <= second; });
}

/// Of its own share first; then what others cannot make; then the shares of those that are gone or hang.
std::optional<Scheduler::ItemIndex> Scheduler::next_of_share(const Rank& rank) {
  const auto first_in = [&](const Share& share) -> std::optional<ItemIndex> {
    for (auto at = share.begin < share.end ? waiting_.from(share.begin) : std::nullopt; at && *at < share.end;
         at = waiting_.after(*at)) {
      if (may_take(rank, *at)) {
        return at;
      }
      strays_.insert(*at);
    }
    return std::nullopt;
  };
  for (const Share& share : shares_) {
    if (const auto at = share.owner == rank.id ? first_in(share) : std::nullopt) {
      return at;
    }
  }
  if (const auto stray = next_stray(rank)) {
    return stray;
  }
  for (const Share& share : shares_) {
    const auto owner = ranks_.all().find(share.owner);
    const bool is_ownerless = owner == ranks_.all().end() || owner->second.hangs;
    if (const auto at = is_ownerless ? first_in(share) : std::nullopt) {
      return at;
    }
  }
  return std::nullopt;
}

std::optional<Scheduler::ItemIndex> Scheduler::next_stray(const Rank& rank) const {
  const auto found = std::find_if(strays_.begin(), strays_.end(),
                                  [&](ItemIndex at) { return waiting_.contains(at) && may_take(rank, at); });
  return found == strays_.end() ? std::nullopt : std::optional{*found};
}

}  // namespace pantile
