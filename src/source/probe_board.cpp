#include "source/probe_board.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace pantile {
namespace {

constexpr RankId self{0};
/// A task of fewer unreadable items says nothing of the rank: the files may be at fault.
constexpr std::uint64_t telling_items = 16;

}  // namespace

ProbeBoard::ProbeBoard(ItemId first, ItemId end, std::uint64_t task_items)
    : task_items_{task_items}, next_new_{first}, end_{end}, unsettled_{index(end) - index(first)} {
  expect(index(first) <= index(end) && task_items >= 1, "a board has items, and tasks some of them");
}

std::optional<ProbeTask> ProbeBoard::next(RankId rank) {
  const auto take = [&](std::deque<std::uint64_t>& queue) {
    Open& open = open_.at(queue.front());
    queue.pop_front();
    open.ranks.insert(rank);
    return open.task;
  };
  if (rank == self && !doubtful_.empty()) {
    return take(doubtful_);
  }
  if (blind_.contains(rank)) {
    return std::nullopt;
  }
  if (!waiting_.empty()) {
    return take(waiting_);
  }
  if (next_new_ != end_) {
    const std::uint64_t count = std::min(task_items_, index(end_) - index(next_new_));
    const ProbeTask task{next_number_++, next_new_, count};
    next_new_ = ItemId{index(next_new_) + count};
    open_.emplace(task.number, Open{.task = task, .ranks = {rank}});
    return task;
  }
  if (rank == self) {
    for (auto& [number, open] : open_) {
      if (!open.ranks.contains(self)) {
        open.ranks.insert(self);
        return open.task;
      }
    }
  }
  return std::nullopt;
}

std::vector<bool> ProbeBoard::answer(RankId rank, std::uint64_t task, const std::vector<bool>& readable) {
  std::vector<bool> counts(readable.size(), false);
  const auto found = open_.find(task);
  if (found == open_.end() || (found->second.doubtful && rank != self)) {
    return counts;
  }
  const ProbeTask answered = found->second.task;
  expect(readable.size() == answered.count, "an answer speaks of each item of its task");
  open_.erase(found);
  std::erase(waiting_, task);  // Its rank was taken for lost.
  for (std::size_t i = 0; i < readable.size(); ++i) {
    counts[i] = rank == self || readable[i];
    unsettled_ -= counts[i] ? 1 : 0;
  }
  if (rank != self) {
    const bool nothing = std::none_of(readable.begin(), readable.end(), [](bool could) { return could; });
    if (nothing && answered.count >= telling_items) {
      blind_.insert(rank);
    }
    doubt(answered, counts);
  }
  return counts;
}

/// What does not count becomes tasks of its own, for rank 0.
void ProbeBoard::doubt(const ProbeTask& task, const std::vector<bool>& counts) {
  for (std::uint64_t i = 0; i < task.count;) {
    if (counts[i]) {
      ++i;
      continue;
    }
    std::uint64_t end = i;
    while (end < task.count && !counts[end]) {
      ++end;
    }
    const ProbeTask again{next_number_++, ItemId{index(task.first) + i}, end - i};
    open_.emplace(again.number, Open{.task = again, .ranks = {}, .doubtful = true});
    doubtful_.push_back(again.number);
    i = end;
  }
}

void ProbeBoard::lose(RankId rank) {
  blind_.insert(rank);
  for (auto& [number, open] : open_) {
    if (open.ranks.erase(rank) > 0 && open.ranks.empty()) {
      waiting_.push_back(number);
    }
  }
}

}  // namespace pantile
