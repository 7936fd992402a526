#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/run_state.hpp"

namespace pantile::app {

ExitCode carry_out(const StatusCommand& command) {
  const RunLayout layout = existing_run(command.run);
  const LiveState live = run_state(layout, read_journal(layout.journal()));
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
