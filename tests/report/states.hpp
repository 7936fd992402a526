#pragma once

#include "report/live.hpp"

namespace pantile {

/// 2026-11-21T09:00:03Z.
inline const WallTime nine_o_clock = std::chrono::system_clock::from_time_t(1795251603);

/// A run in its middle, with every field set to something of its own.
inline LiveState busy_state() {
  LiveState state;
  state.state = RunState::running;
  state.run = "manga-2x";
  state.items = 1205;
  state.done = 655;
  state.quarantined = 1;
  state.running = 24;
  state.computed = 40;
  state.eta_s = 105;
  state.pixels = 38'400'000'000;
  state.pixels_done = 20'736'000'000;
  state.pixels_before = 736'000'000;
  state.pixels_per_s = 168e6;
  state.started = nine_o_clock;
  state.updated = nine_o_clock + std::chrono::milliseconds{134'250};
  state.pid = 4711;
  state.host = "node1";
  state.epoch = 2;
  state.ranks = 3;
  state.devices = {{.name = "node1:cpu0",
                    .cap_bytes = std::uint64_t{6} << 30U,
                    .predicted_bytes = std::uint64_t{11} << 29U,
                    .used_bytes = std::uint64_t{5} << 30U,
                    .peak_bytes = (std::uint64_t{5} << 30U) + 1,
                    .others_bytes = std::uint64_t{700} << 20U,
                    .lanes = 2,
                    .utilisation = 0.97,
                    .pixels_per_s = 44e6,
                    .doing = "slide_0093.png tile 17/36"},
                   {.name = "n2:cpu11",
                    .cap_bytes = 1000,
                    .predicted_bytes = 999,
                    .used_bytes = 10,
                    .peak_bytes = 20,
                    .lanes = 1,
                    .utilisation = 0.38,
                    .doing = ""}};
  add_message(state, log::Level::info, "node2 joined");
  add_message(state, log::Level::warn, "x17.tif quarantined: TIFF strip 40 of 812 is cut short");
  add_answer(state,
             {.id = "001-node1-7", .request = "drain", .granted = true, .answer = "finishing what is in flight"});
  return state;
}

}  // namespace pantile
