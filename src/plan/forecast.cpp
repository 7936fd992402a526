#include "plan/forecast.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <numeric>
#include <queue>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/error.hpp"

namespace pantile {
namespace {

/// Ranks that work their queues off, one item after the other; messages take no time, and nothing goes wrong.
class Play {
 public:
  Play(const Work& work, std::span<const double> seconds, std::span<const double> speeds,
       const SchedulerSettings& settings)
      : speeds_{speeds}, queues_(speeds.size()), scheduler_{work, settings}, items_left_{work.items().size()} {
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      seconds_.emplace(work.items()[i].item, seconds[i]);
    }
  }

  double run() {
    for (std::size_t rank = 0; rank < speeds_.size(); ++rank) {
      hear(RankJoined{.rank = id(rank)});
    }
    while (items_left_ > 0 && !at_work_.empty()) {
      const auto [end_s, rank] = at_work_.top();
      at_work_.pop();
      now_s_ = end_s;
      const ItemId item = queues_[rank].front();
      queues_[rank].pop_front();
      --items_left_;
      begin_next(rank);
      hear(ItemComputed{id(rank), item, seconds_.at(item) / speeds_[rank]});
    }
    expect(items_left_ == 0, "a forecast ends when all is computed");
    return now_s_;
  }

 private:
  static RankId id(std::size_t rank) { return RankId{static_cast<int>(rank) + 1}; }

  void hear(const Event& event) {
    for (const Command& command : scheduler_.on(event, now_s_)) {
      if (const auto* const assign = std::get_if<Assign>(&command)) {
        const auto rank = static_cast<std::size_t>(index(assign->rank) - 1);
        const bool is_idle = queues_[rank].empty();
        for (const UnitItem& item : assign->unit.items) {
          queues_[rank].push_back(item.item);
        }
        if (is_idle) {
          begin_next(rank);
        }
      }
    }
  }

  void begin_next(std::size_t rank) {
    if (!queues_[rank].empty()) {
      at_work_.emplace(now_s_ + seconds_.at(queues_[rank].front()) / speeds_[rank], rank);
    }
  }

  std::span<const double> speeds_;
  std::vector<std::deque<ItemId>> queues_;  ///< by rank; the first is being computed
  using End = std::pair<double, std::size_t>;
  std::priority_queue<End, std::vector<End>, std::greater<>> at_work_;
  std::unordered_map<ItemId, double> seconds_;
  Scheduler scheduler_;
  std::size_t items_left_;
  double now_s_ = 0;
};

}  // namespace

Forecast forecast(const Work& work, std::span<const double> seconds, std::span<const double> speeds,
                  SchedulerSettings settings) {
  expect(seconds.size() == work.items().size() && !speeds.empty(), "each item has its time, and there is a rank");
  const double bound_s =
      std::accumulate(seconds.begin(), seconds.end(), 0.0) / std::accumulate(speeds.begin(), speeds.end(), 0.0);
  if (work.items().empty() || work.items().size() > most_played_items) {
    return {.makespan_s = bound_s, .bound_s = bound_s, .is_played = false};
  }
  settings.expected_ranks = static_cast<std::uint32_t>(speeds.size());
  return {.makespan_s = Play{work, seconds, speeds, settings}.run(), .bound_s = bound_s, .is_played = true};
}

}  // namespace pantile
