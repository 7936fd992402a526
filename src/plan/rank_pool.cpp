#include "plan/rank_pool.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace pantile {

namespace {
/// What was learned so much earlier counts for 1/e: long enough to smooth small items, short enough to see a throttled
/// device.
constexpr double memory_s = 5;
}  // namespace

void RankSpeed::learn(std::uint64_t px, double seconds) {
  if (!(seconds > 0) || px == 0) {
    return;
  }
  const double keep = std::exp(-seconds / memory_s);
  px_ = px_ * keep + static_cast<double>(px);
  seconds_ = seconds_ * keep + seconds;
}

int Rank::units() const {
  if (queue.empty()) {
    return 0;
  }
  return queue.front().unit == queue.back().unit ? 1 : 2;
}

double Rank::busy_s(double now_s) const { return busy_s_with(0, now_s); }

double Rank::busy_s_with(std::uint64_t px, double now_s) const {
  const double more_s = static_cast<double>(px) / speed.px_per_s();
  if (queue.empty()) {
    return more_s;
  }
  const double elapsed_s = std::max(0.0, now_s - progress_s);
  const double first_s = static_cast<double>(queue.front().px) / speed.px_per_s();
  const double overdue_s = std::max(0.0, elapsed_s - first_s);
  return static_cast<double>(queue_px) / speed.px_per_s() - std::min(elapsed_s, first_s) + overdue_s + more_s;
}

void Rank::assign(std::span<const Assigned> unit, double now_s) {
  if (queue.empty()) {
    progress_s = now_s;
  }
  ++units_assigned;
  for (auto assigned : unit) {
    assigned.unit = units_assigned;
    queue_px += assigned.px;
    queue.push_back(assigned);
  }
}

bool Rank::remove(ItemIndex item, double now_s) {
  const auto found =
      std::find_if(queue.begin(), queue.end(), [&](const Assigned& assigned) { return assigned.item == item; });
  if (found == queue.end()) {
    return false;
  }
  queue_px -= found->px;
  queue.erase(found);
  progress_s = now_s;
  return true;
}

Rank& RankPool::join(RankId id) {
  auto& rank = ranks_[id];
  rank.id = id;
  return rank;
}

void RankPool::lose(RankId id) {
  ranks_.erase(id);
  with_room_.erase(id);
  assume_speeds();
}

Rank* RankPool::find(RankId id) {
  const auto found = ranks_.find(id);
  return found == ranks_.end() ? nullptr : &found->second;
}

void RankPool::learn(Rank& rank, std::uint64_t px, double seconds) {
  const bool was_known = rank.speed.is_known();
  const double before = rank.speed.px_per_s();
  rank.speed.learn(px, seconds);
  if (was_known && !rank.hangs) {
    total_px_per_s_ += rank.speed.px_per_s() - before;
  } else {
    assume_speeds();  // the first figure of a rank also tells what to expect of those that have none
  }
  queue_changed(rank);
}

void RankPool::queue_changed(const Rank& rank) {
  if (rank.has_room()) {
    with_room_.insert(rank.id);
  } else {
    with_room_.erase(rank.id);
  }
}

void RankPool::standing_changed(const Rank& rank) {
  queue_changed(rank);
  assume_speeds();
}

void RankPool::assume_speeds() {
  double known_px_per_s = 0;
  int known_lanes = 0;
  for (const auto& [id, rank] : ranks_) {
    if (rank.speed.is_known()) {
      known_px_per_s += rank.speed.px_per_s();
      known_lanes += rank.lanes;
    }
  }
  any_known_ = known_lanes > 0;
  const double px_per_s_a_lane = any_known_ ? known_px_per_s / known_lanes : 1;
  total_px_per_s_ = 0;
  for (auto& [id, rank] : ranks_) {
    rank.speed.assume(px_per_s_a_lane * rank.lanes);
    total_px_per_s_ += rank.hangs ? 0 : rank.speed.px_per_s();
  }
}

std::vector<Rank*> RankPool::with_room(double now_s) {
  std::vector<std::pair<double, Rank*>> ordered;
  for (const auto id : with_room_) {
    auto& rank = ranks_.at(id);
    ordered.emplace_back(rank.busy_s(now_s), &rank);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Rank*> ranks;
  ranks.reserve(ordered.size());
  for (const auto& [busy_s, rank] : ordered) {
    ranks.push_back(rank);
  }
  return ranks;
}

double RankPool::held_px(double now_s) const {
  double px = 0;
  for (const auto& [id, rank] : ranks_) {
    px += rank.hangs ? 0 : rank.busy_s(now_s) * rank.speed.px_per_s();
  }
  return px;
}

}  // namespace pantile
