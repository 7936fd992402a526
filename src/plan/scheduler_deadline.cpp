// What a deadline changes: an item is begun only if it is predicted to be computed, sealed and committed before.
// Smaller ones that still fit go on; when nothing fits any more the run ends like a drain.

#include <algorithm>
#include <limits>

#include "plan/scheduler.hpp"

namespace pantile {

namespace {
/// Predictions err: what is still at work so long before the last moment is called back, and given back at it.
constexpr double last_call_s = 1;
}  // namespace

void Scheduler::handle(const Deadline& event) { deadline_s_ = event.at_s; }

/// From the end of the rank's work until its rows are committed and the process has left.
double Scheduler::seal_s(const Rank& rank) const {
  return settings_.close_s + static_cast<double>(rank.open_px + rank.queue_px) / settings_.seal_px_per_s;
}

/// The largest item that the rank's memory holds and that it can make in time. Without any known speed seconds mean
/// nothing, and nothing is refused.
std::uint64_t Scheduler::limit_px(const Rank& rank) const {
  if (!deadline_s_ || !ranks_.any_speed_known()) {
    return rank.largest_px;
  }
  const double room_s = *deadline_s_ - now_s_ - rank.busy_s(now_s_) - seal_s(rank);
  const double s_per_px = 1 / rank.speed.px_per_s() + 1 / settings_.seal_px_per_s;
  return std::min(rank.largest_px, static_cast<std::uint64_t>(std::clamp(room_s / s_per_px, 0.0, 1e18)));
}

/// Before a speed is known: the largest item might take all the time that there is, at every start anew.
std::optional<Scheduler::ItemIndex> Scheduler::smallest_for(const Rank& rank) const {
  const auto smallest = waiting_.last();
  return smallest && may_take(rank, *smallest) ? smallest : largest_for(rank, rank.largest_px);
}

void Scheduler::watch_deadline() {
  if (!deadline_s_ || finished_ || patience_s_) {
    return;
  }
  double longest_seal_s = settings_.close_s;
  for (const auto& [id, rank] : ranks_.all()) {
    longest_seal_s = std::max(longest_seal_s, rank.hangs ? 0 : seal_s(rank));
  }
  const double last_moment_s = *deadline_s_ - longest_seal_s;
  const bool nobody_works = counts_[static_cast<std::size_t>(ItemState::running)] == 0;
  if (dispatches() && nobody_works && is_gathered() && ranks_.any_speed_known()) {
    call_time();  // dispatch() has found nothing that fits
  }
  if (now_s_ >= last_moment_s - last_call_s) {
    call_time();
    handle(Drain{std::clamp(last_moment_s - now_s_, 0.0, last_call_s)});
  }
}

/// Says once what is left and why.
void Scheduler::call_time() {
  if (out_of_time_) {
    return;
  }
  TimeIsUp told;
  std::uint64_t largest_px = 0;
  for (ItemIndex at = 0; at < items_.size(); ++at) {
    if (items_[at].state == ItemState::waiting || items_[at].state == ItemState::running) {
      ++told.items_left;
      if (ledger_.item(at).cost_px > largest_px) {
        largest_px = ledger_.item(at).cost_px;
        told.largest = ledger_.item(at).item;
      }
    }
  }
  if (told.items_left == 0) {
    return;  // what is under way is only sealed now
  }
  out_of_time_ = true;
  double best_px_per_s = 0;
  for (const auto& [id, rank] : ranks_.all()) {
    best_px_per_s = std::max(best_px_per_s, rank.hangs ? 0 : rank.speed.px_per_s());
  }
  if (ranks_.any_speed_known() && best_px_per_s > 0) {
    told.needs_s = static_cast<double>(largest_px) / best_px_per_s;
  }
  const double begun_s = first_dispatch_s_ < 0 ? now_s_ : first_dispatch_s_;
  told.leaves_s = std::max(0.0, *deadline_s_ - begun_s - settings_.close_s);
  commands_.push_back(told);
}

}  // namespace pantile
