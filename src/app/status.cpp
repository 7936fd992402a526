#include <fmt/format.h>

#include "app/commands.hpp"
#include "report/live.hpp"
#include "report/progress.hpp"
#include "store/catalog_file.hpp"
#include "store/journal_state.hpp"

namespace pantile::app {
namespace {

/// What the journal alone tells: live.json is only the latest word of a process that may be gone.
LiveState state_of(const RunLayout& layout) {
  const JournalState journal = read_journal(layout.journal());
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

}  // namespace

ExitCode carry_out(const StatusCommand& command) {
  const LiveState live = state_of(existing_run(command.run));
  if (command.format == TableFormat::json) {
    fmt::print("{}\n", to_json(live));
    return ExitCode::done;
  }
  Table table{{"state", "items", "done", "quarantined", "computed", "running", "eta_s"}};
  table.add({std::string{name(live.state)}, live.items, live.done, live.quarantined, live.computed, live.running,
             is_active(live.state) && live.eta_s ? Cell{*live.eta_s} : Cell{}});
  fmt::print("{}", table.text(command.format));
  if (command.format == TableFormat::table && is_active(live.state)) {
    Table devices{
        {"device", "cap_bytes", "predicted_bytes", "used_bytes", "peak_bytes", "others_bytes", "lanes", "utilisation"}};
    for (const DeviceLive& device : live.devices) {
      devices.add({device.name, device.cap_bytes, device.predicted_bytes, device.used_bytes, device.peak_bytes,
                   device.others_bytes, std::int64_t{device.lanes}, device.utilisation});
    }
    fmt::print("\n{}", devices.text(command.format));
  }
  return ExitCode::done;
}

}  // namespace pantile::app
