#pragma once
// A scheduler on a desk: tell it one event after the other, and look at what it said.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "plan/scheduler.hpp"

namespace pantile {

/// Items 0, 1, … of one block each.
inline Work items_of(const std::vector<std::uint64_t>& costs_px) {
  Work work;
  for (std::size_t i = 0; i < costs_px.size(); ++i) {
    const BlockRange all{OutputId{0}, BlockId{0}, 1};
    work.add(ItemId{i}, costs_px[i], {&all, 1});
  }
  return work;
}

inline BlockKey row(std::uint64_t item, std::uint32_t block = 0) { return {ItemId{item}, OutputId{0}, BlockId{block}}; }

/// A scheduler, and what it said last.
class Desk {
 public:
  explicit Desk(Work work, const SchedulerSettings& settings = {}) : scheduler{std::move(work), settings} {}

  Desk& hear(const Event& event, double now_s = 0) {
    now_s_ = std::max(now_s_, now_s);
    said = scheduler.on(event, now_s_);
    scheduler.check_invariants();
    return *this;
  }
  /// The commands of one kind among what was said last.
  template <class Kind>
  [[nodiscard]] std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const auto& command : said) {
      if (const auto* one = std::get_if<Kind>(&command)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  /// Items that were handed to a rank by what was said last.
  [[nodiscard]] std::vector<std::uint64_t> assigned(RankId rank) const {
    std::vector<std::uint64_t> items;
    for (const auto& assign : all<Assign>()) {
      for (const auto& item : assign.unit.items) {
        if (assign.rank == rank) {
          items.push_back(index(item.item));
        }
      }
    }
    return items;
  }
  /// Computes, seals and commits one item on a rank, in a shard of its own.
  void commit(RankId rank, std::uint64_t item, std::uint32_t shard, double seconds = 1, double now_s = 0) {
    hear(ItemComputed{rank, ItemId{item}, seconds}, now_s);
    hear(SealAsked{rank, ShardId{shard}, {row(item)}}, now_s);
    hear(SealReady{rank, ShardId{shard}}, now_s);
    hear(SealCommitted{rank, ShardId{shard}}, now_s);
  }
  [[nodiscard]] ItemState state(std::uint64_t item) const { return scheduler.state(ItemId{item}); }

  Scheduler scheduler;
  std::vector<Command> said;

 private:
  double now_s_ = 0;
};

}  // namespace pantile
