#include "app/run_state.hpp"

#include <optional>

namespace pantile::app {

LiveState run_state(const RunLayout& layout, const JournalState& journal) {
  LiveState live;
  if (const std::optional<LiveState> told = read_live(layout.live())) {
    live = *told;
  } else {
    live.state = journal.end() ? RunState::done : RunState::interrupted;
    live.epoch = index(journal.epoch());
  }
  live.items = journal.items();
  live.done = journal.done_items();
  live.quarantined = journal.quarantine().size();
  if (!is_active(live.state)) {
    live.running = 0;
    live.computed = 0;
    live.state = journal.end() ? RunState::done : live.state;
  }
  return live;
}

}  // namespace pantile::app
