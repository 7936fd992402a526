// What the disk's troubles mean to the scheduler. The rest of it is where dispatches(), find_hanging() and conclude()
// look at space_.

#include "plan/scheduler.hpp"

namespace pantile {

void Scheduler::handle(const SpaceIs& event) {
  if (space_ == Space::full && event.space != Space::full) {
    space_back_s_ = now_s_;
    for (auto& [id, rank] : ranks_.all()) {
      rank.progress_s = now_s_;  // Nobody could make progress meanwhile.
    }
  }
  space_ = event.space;
}

void Scheduler::handle(const RankWaits& event) {
  if (auto* rank = heard_from(event.rank)) {
    rank->progress_s = now_s_;
    if (rank->seal_asked_s) {
      rank->seal_asked_s = now_s_;
    }
  }
}

}  // namespace pantile
