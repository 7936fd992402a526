#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <vector>

#include "base/ids.hpp"

namespace pantile {

/// Pixels per second of one rank, learned from what it finished.
class RankSpeed {
 public:
  /// What is believed before anything is learned.
  void assume(double px_per_s) noexcept { assumed_ = px_per_s; }
  void learn(std::uint64_t px, double seconds);
  [[nodiscard]] bool is_known() const noexcept { return seconds_ > 0; }
  [[nodiscard]] double px_per_s() const noexcept { return is_known() ? px_ / seconds_ : assumed_; }

 private:
  // A ratio of sums, and not a mean of ratios: items that ran side by side share their time unevenly, the sum is right.
  double px_ = 0;
  double seconds_ = 0;
  double assumed_ = 1;
};

/// One worker rank as the coordinator sees it.
struct Rank {
  using ItemIndex = std::uint32_t;
  struct Assigned {
    ItemIndex item = 0;
    std::uint64_t px = 0;
    std::uint32_t unit = 0;  ///< counts the units of this rank
  };
  RankId id{};
  int lanes = 1;
  std::uint64_t largest_px = std::numeric_limits<std::uint64_t>::max();
  RankSpeed speed;
  std::deque<Assigned> queue;  ///< in the order of work
  std::uint64_t queue_px = 0;
  double progress_s = 0;  ///< when the first of the queue became the first
  std::uint32_t units_assigned = 0;
  std::unordered_set<ItemIndex> open;  ///< computed, in the open shard
  std::uint64_t open_px = 0;           ///< of those
  bool gave_back = false;              ///< items since its last seal: the open shard may have rows of them
  std::optional<double> seal_asked_s;  ///< when AskSeal went out, until it is answered
  std::uint64_t computed_items = 0;
  /// It is silent for too long: its copies of items do not count, and it gets no work until it is heard again.
  bool hangs = false;

  /// At most two: queues are filled by has_room() only.
  [[nodiscard]] int units() const;
  /// One unit ahead of the running one, once it has shown how fast it is; a large item ahead on a slow rank hurts.
  [[nodiscard]] bool has_room() const { return !hangs && units() < (speed.is_known() ? 2 : 1); }
  /// Predicted seconds until the queue is done. A rank that is overdue is expected to need as long again.
  [[nodiscard]] double busy_s(double now_s) const;
  [[nodiscard]] double busy_s_with(std::uint64_t px, double now_s) const;

  void assign(std::span<const Assigned> unit, double now_s);
  /// True if it was in the queue.
  bool remove(ItemIndex item, double now_s);
};

/// The live ranks, and what is predicted of all of them together.
class RankPool {
 public:
  /// Adds the rank or returns the live one.
  Rank& join(RankId id);
  void lose(RankId id);
  [[nodiscard]] Rank* find(RankId id);
  /// The rank needed `seconds` for so many pixels.
  void learn(Rank& rank, std::uint64_t px, double seconds);
  /// To be called after a change of a rank's queue; O(log ranks).
  void queue_changed(const Rank& rank);
  /// To be called after a change of a rank's lanes or `hangs`; O(ranks).
  void standing_changed(const Rank& rank);

  [[nodiscard]] std::map<RankId, Rank>& all() noexcept { return ranks_; }
  [[nodiscard]] const std::map<RankId, Rank>& all() const noexcept { return ranks_; }
  /// Those with room for a unit, the first to be free first.
  [[nodiscard]] std::vector<Rank*> with_room(double now_s);
  /// px/s of all that do not hang.
  [[nodiscard]] double total_px_per_s() const noexcept { return total_px_per_s_; }
  /// True once any rank has shown its speed; until then seconds mean nothing, only their order does.
  [[nodiscard]] bool any_speed_known() const noexcept { return any_known_; }

  /// Pixels that all ranks together have still to do of what they hold; those that hang are left out.
  [[nodiscard]] double held_px(double now_s) const;

 private:
  void assume_speeds();

  std::map<RankId, Rank> ranks_;
  std::set<RankId> with_room_;
  double total_px_per_s_ = 0;
  bool any_known_ = false;
};

}  // namespace pantile
