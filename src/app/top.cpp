// `pantile top`: a run as `pantile run` itself shows it, from any machine that sees its folder.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "app/commands.hpp"
#include "app/run_state.hpp"
#include "report/progress.hpp"
#include "run/signals.hpp"

namespace pantile::app {
namespace {

constexpr std::chrono::milliseconds redraw{500};
constexpr std::chrono::milliseconds look_for_signals{50};
/// Rank 0 writes live.json each second; the clocks of two machines may differ by some.
constexpr std::chrono::seconds long_silence{60};
/// One column less than most terminals have: some wrap a full line.
constexpr int plain_width = 79;

LiveState told(const RunLayout& layout) { return run_state(layout, read_journal(layout.journal())); }

/// Nobody can see from another machine whether a process is gone: only that it says nothing.
LiveState with_silence(LiveState state) {
  const auto silent = std::chrono::system_clock::now() - state.updated;
  if (is_active(state.state) && silent > long_silence) {
    add_message(state, log::Level::warn,
                fmt::format("last heard of {} s ago, on {}: it may not run any more",
                            std::chrono::duration_cast<std::chrono::seconds>(silent).count(), state.host));
  }
  return state;
}

void print_once(LiveState state) {
  const bool goes_on = is_active(state.state);
  if (!goes_on) {
    state.devices.clear();  // They have nothing any more.
  }
  const WallTime now = goes_on ? std::chrono::system_clock::now() : state.updated;
  for (const std::string& line :
       progress_block(with_silence(state), now, plain_width, charset_of_locale(), CtrlC::unsaid)) {
    fmt::print("{}\n", line);
  }
}

/// Until the run ends, or a signal comes.
void watch(ProgressDisplay& display, const RunLayout& layout, LiveState state) {
  while (is_active(state.state) && stop_signals() == 0) {
    display.update(with_silence(state));
    const auto next = std::chrono::steady_clock::now() + redraw;
    while (std::chrono::steady_clock::now() < next && stop_signals() == 0) {
      std::this_thread::sleep_for(look_for_signals);
    }
    state = read_live(layout.live()).value_or(state);
  }
}

}  // namespace

ExitCode carry_out(const TopCommand& command) {
  const RunLayout layout = existing_run(command.run);
  const LiveState state = told(layout);
  if (is_active(state.state) && ::isatty(STDOUT_FILENO) == 1) {
    watch_stop_signals(true);
    ProgressDisplay display{{}, ProgressDisplay::Mode::automatic, CtrlC::ends_display};
    if (display.draws()) {
      watch(display, layout, state);
    }
  }
  print_once(told(layout));
  return ExitCode::done;
}

}  // namespace pantile::app
