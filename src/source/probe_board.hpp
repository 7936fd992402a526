#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/ids.hpp"

namespace pantile {

/// Consecutive items whose headers one rank reads at once.
struct ProbeTask {
  std::uint64_t number = 0;
  ItemId first{};
  std::uint64_t count = 0;
  bool operator==(const ProbeTask&) const = default;
};

/// Decides who reads which headers, and whose word counts. Pure: rank 0 carries it out.
///
/// Each item is settled exactly once, by the first answer that counts. Of the other ranks an unreadable item does not
/// count: the input may not be mounted there, so rank 0 looks itself. What a rank was given and does not answer,
/// because it is lost or slow, is done again by rank 0 once nothing else is left: nobody is waited for.
class ProbeBoard {
 public:
  /// For the items `first` ≤ id < `end`, in tasks of `task_items` (≥ 1).
  ProbeBoard(ItemId first, ItemId end, std::uint64_t task_items);

  /// The next task for a rank; nothing if there is none for it now. Rank 0 gets what the others could not read, then
  /// new ones, then those that others still have.
  [[nodiscard]] std::optional<ProbeTask> next(RankId rank);
  /// A rank's answer: whether it could read each item of the task. Returns which of them count, in the order of the
  /// task: nothing of an answer that comes too late.
  [[nodiscard]] std::vector<bool> answer(RankId rank, std::uint64_t task, const std::vector<bool>& readable);
  /// The rank will not answer any more.
  void lose(RankId rank);
  /// Every item is settled.
  [[nodiscard]] bool done() const noexcept { return unsettled_ == 0; }

 private:
  struct Open {
    ProbeTask task;
    std::set<RankId> ranks{};  ///< who have it
    bool doubtful = false;     ///< another rank could not read it: rank 0 alone may answer
  };
  void doubt(const ProbeTask& task, const std::vector<bool>& counts);

  std::map<std::uint64_t, Open> open_;  ///< not settled, by number
  std::deque<std::uint64_t> waiting_;   ///< nobody has it
  std::deque<std::uint64_t> doubtful_;  ///< for rank 0 alone
  std::set<RankId> blind_;              ///< ranks that could read nothing of a task: they get no more
  std::uint64_t task_items_;
  ItemId next_new_;  ///< items from here on are in no task yet
  ItemId end_;
  std::uint64_t next_number_ = 0;
  std::uint64_t unsettled_;
};

}  // namespace pantile
