// What the scheduler tells about itself: progress, ranks, and whether its books are in order.

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "plan/scheduler.hpp"

namespace pantile {

SchedulerProgress Scheduler::progress(double now_s) const {
  SchedulerProgress progress{.items = counts_, .blocks_committed = ledger_.blocks_committed()};
  for (const auto px : px_) {
    progress.px_total += px;
  }
  progress.px_left =
      px_[static_cast<std::size_t>(ItemState::waiting)] + px_[static_cast<std::size_t>(ItemState::running)];
  if (!ranks_.any_speed_known()) {
    progress.remaining_s = progress.px_left == 0 ? 0 : std::numeric_limits<double>::infinity();
    return progress;
  }
  double longest_s = 0;
  for (const auto& [id, rank] : ranks_.all()) {
    longest_s = std::max(longest_s, rank.hangs ? 0 : rank.busy_s(now_s));
  }
  const double px = static_cast<double>(waiting_.total_px()) + ranks_.held_px(now_s);
  progress.remaining_s = std::max(longest_s, px / ranks_.total_px_per_s());
  return progress;
}

std::vector<RankView> Scheduler::ranks() const {
  std::vector<RankView> views;
  for (const auto& [id, rank] : ranks_.all()) {
    RankView view{.rank = id,
                  .px_per_s = rank.speed.is_known() ? rank.speed.px_per_s() : 0,
                  .open_items = rank.open.size(),
                  .computed_items = rank.computed_items,
                  .hangs = rank.hangs};
    for (const auto& assigned : rank.queue) {
      view.running.push_back(ledger_.item(assigned.item).item);
    }
    views.push_back(std::move(view));
  }
  return views;
}

ItemState Scheduler::state(ItemId item) const {
  const auto at = ledger_.find(item);
  expect(at.has_value(), "the item is one of those to do");
  return items_[*at].state;
}

void Scheduler::check_invariants() const {
  ledger_.check_invariants();
  std::vector<Item> counted(items_.size());
  for (const auto& [id, rank] : ranks_.all()) {
    std::uint64_t queue_px = 0;
    std::set<std::uint32_t> units;
    for (const auto& assigned : rank.queue) {
      units.insert(assigned.unit);
      counted[assigned.item].running += rank.hangs ? 0 : 1;
      queue_px += assigned.px;
    }
    std::uint64_t open_px = 0;
    for (const auto at : rank.open) {
      open_px += ledger_.item(at).cost_px;
      counted[at].computed += rank.hangs ? 0 : 1;
    }
    expect(queue_px == rank.queue_px, "the pixels in a rank's queue are counted right");
    expect(open_px == rank.open_px, "the pixels in a rank's open shard are counted right");
    expect(units.size() <= 2 && units.size() == static_cast<std::size_t>(rank.units()), "one unit at most is ahead");
  }
  std::array<std::uint64_t, item_state_count> counts{};
  std::uint64_t waiting_px = 0;
  for (ItemIndex at = 0; at < items_.size(); ++at) {
    const auto& item = items_[at];
    expect(item.running == counted[at].running, "the running copies of an item are counted right");
    expect(item.computed == counted[at].computed, "the computed copies of an item are counted right");
    expect(item.state == derive(at), "an item is in the state that its copies and blocks tell");
    expect(waiting_.contains(at) == (item.state == ItemState::waiting), "the waiting list holds what waits");
    counts[static_cast<std::size_t>(item.state)] += 1;
    waiting_px += item.state == ItemState::waiting ? ledger_.item(at).cost_px : 0;
  }
  expect(counts == counts_, "each item is counted in exactly one state");
  expect(waiting_px == waiting_.total_px(), "the waiting pixels are counted right");
}

}  // namespace pantile
