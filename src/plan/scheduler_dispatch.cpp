// Which rank gets which item: the one rule, and what becomes of items that fit nowhere.

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "plan/scheduler.hpp"

namespace pantile {

namespace {
/// How many items that a rank has just failed it looks past. More are left for the other ranks.
constexpr int max_looked_past = 64;
}  // namespace

bool Scheduler::is_gathered() const {
  return ranks_joined_ >= settings_.expected_ranks ||
         (ranks_joined_ > 0 && now_s_ - first_joined_s_ >= settings_.gather_s);
}

void Scheduler::dispatch() {
  if (!is_gathered()) {
    return;
  }
  share_out();
  Outlook outlook{ranks_, now_s_};
  bool has_assigned = true;
  while (dispatches() && has_assigned) {
    has_assigned = false;
    for (auto* rank : ranks_.with_room(now_s_)) {
      if (dispatches() && assign(*rank, choose(*rank, outlook))) {
        has_assigned = true;
        outlook.forget();
      }
    }
  }
  if (dispatches()) {
    give_up_unfit();
  }
}

std::optional<Scheduler::ItemIndex> Scheduler::choose(const Rank& rank, Outlook& outlook) {
  const bool is_guess = deadline_s_ && !ranks_.any_speed_known();
  switch (settings_.policy) {
    case ScheduleConfig::Policy::resolution: return is_guess ? smallest_for(rank) : choose_largest(rank, outlook);
    case ScheduleConfig::Policy::dynamic: return next_in_order(rank);
    case ScheduleConfig::Policy::equal: return next_of_share(rank);
  }
  expect(false, "a policy is one of three");
  return std::nullopt;
}

/// The largest waiting item for which this rank is the right one; none if all are better left to others.
///
/// It is right to start an item here if the others would not be done without us before that (they would not wait for us
/// then), or if none of them could finish this item earlier, their present work included. A slow rank thus declines
/// large items near the end, takes smaller ones instead, and at last none.
std::optional<Scheduler::ItemIndex> Scheduler::choose_largest(const Rank& rank, Outlook& outlook) const {
  const std::uint64_t limit = limit_px(rank);
  const auto largest = largest_for(rank, limit);
  if (!largest) {
    return std::nullopt;
  }
  const double done_s = rank.busy_s_with(ledger_.item(*largest).cost_px, now_s_);
  // A lower bound of others_done_s() that costs nothing, and is enough until near the end.
  if (done_s <= static_cast<double>(waiting_.total_px()) / ranks_.total_px_per_s()) {
    return largest;
  }
  const double others_s = outlook.others_done_s(rank, waiting_.total_px());
  if (done_s <= others_s) {
    return largest;
  }
  const auto may = [&](const Rank& other) { return may_take(other, *largest); };
  if (done_s <= outlook.earliest_elsewhere_s(rank, *largest, ledger_.item(*largest).cost_px, may)) {
    return largest;
  }
  const double room_px = (others_s - rank.busy_s(now_s_)) * rank.speed.px_per_s();
  return room_px < 1 ? std::nullopt : largest_for(rank, std::min(limit, static_cast<std::uint64_t>(room_px)));
}

bool Scheduler::fits(const Rank& rank, ItemIndex at) const { return ledger_.item(at).cost_px <= limit_px(rank); }

/// An item goes to another rank than the one that failed it last, as long as there is one.
bool Scheduler::should_avoid(const Rank& rank, ItemIndex at) const {
  if (items_[at].failed_on != rank.id) {
    return false;
  }
  return std::any_of(ranks_.all().begin(), ranks_.all().end(), [&](const auto& one) {
    return one.first != rank.id && !one.second.hangs && fits(one.second, at);
  });
}

std::optional<Scheduler::ItemIndex> Scheduler::largest_for(const Rank& rank, std::uint64_t limit_px) const {
  auto at = waiting_.largest(limit_px);
  for (int passed = 0; at && should_avoid(rank, *at); ++passed) {
    at = passed < max_looked_past ? waiting_.after(*at) : std::nullopt;
  }
  return at;
}

/// How much work a unit should be: a fraction of a second, and less when the rank's share of the rest is less.
double Scheduler::unit_target_px(const Rank& rank) const {
  if (!rank.speed.is_known()) {
    return 0;
  }
  const double share_px = static_cast<double>(waiting_.total_px()) * rank.speed.px_per_s() / ranks_.total_px_per_s();
  return std::min(settings_.unit_s * rank.speed.px_per_s(), share_px / 2);
}

/// What may travel in one unit behind `at`.
std::optional<Scheduler::ItemIndex> Scheduler::following(const Rank& rank, ItemIndex at) const {
  const auto next = waiting_.after(at);
  if (settings_.policy == ScheduleConfig::Policy::resolution || !next) {
    return next;
  }
  return may_take(rank, *next) && is_one_share(at, *next) ? next : std::nullopt;
}

/// Hands out a unit that begins with `first`; false if there is none.
bool Scheduler::assign(Rank& rank, std::optional<ItemIndex> first) {
  if (!first) {
    return false;
  }
  first_dispatch_s_ = first_dispatch_s_ < 0 ? now_s_ : first_dispatch_s_;
  const double target_px = std::min(unit_target_px(rank), static_cast<double>(limit_px(rank)));
  std::vector<Rank::Assigned> assigned;
  Assign command{.rank = rank.id};
  double unit_px = 0;
  for (auto at = first; at;) {
    const auto px = ledger_.item(*at).cost_px;
    const bool is_alone = items_[*at].failures > 0;
    if (!assigned.empty() && (is_alone || unit_px + static_cast<double>(px) > target_px)) {
      break;
    }
    unit_px += static_cast<double>(px);
    assigned.push_back({.item = *at, .px = px});
    command.unit.items.push_back(
        {.item = ledger_.item(*at).item, .attempt = items_[*at].failures + 1U, .blocks = ledger_.loose_blocks(*at)});
    ++items_[*at].running;
    strays_.erase(*at);
    refile(*at);
    if (is_alone || assigned.size() >= settings_.max_unit_items) {
      break;
    }
    at = following(rank, *at);
  }
  rank.assign(assigned, now_s_);
  ranks_.queue_changed(rank);
  commands_.push_back(std::move(command));
  return true;
}

/// What is too large for every rank fails, once all are there and nothing else is left to do.
void Scheduler::give_up_unfit() {
  if (ranks_joined_ < settings_.expected_ranks || counts_[static_cast<std::size_t>(ItemState::running)] > 0) {
    return;
  }
  std::uint64_t largest_px = 0;
  bool is_anyone_well = false;
  for (const auto& [id, rank] : ranks_.all()) {
    largest_px = std::max(largest_px, rank.largest_px);
    is_anyone_well = is_anyone_well || !rank.hangs;
  }
  const bool is_falling = settings_.policy == ScheduleConfig::Policy::resolution;
  for (auto at = waiting_.first(); is_anyone_well && at;) {
    const auto next = waiting_.after(*at);
    if (ledger_.item(*at).cost_px > largest_px) {
      quarantine(*at, Fault::does_not_fit,
                 "no rank has the memory for " + std::to_string(ledger_.item(*at).cost_px) + " pixels");
    } else if (is_falling) {
      break;
    }
    at = next;
  }
}

}  // namespace pantile
