#include "report/progress_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace pantile::words {

std::string duration(WallTime::duration time) {
  const auto s = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(time).count());
  return s < 3600 ? fmt::format("{:02}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string pixels(double count) {
  const double million = count / 1e6;
  const double shown = million < 1000 ? million : million / 1000;
  return fmt::format("{:.{}f} {}", shown, shown < 10 ? 2 : shown < 100 ? 1 : 0, million < 1000 ? "Mpx" : "Gpx");
}

std::string rate(double pixels_per_s) { return pixels(pixels_per_s) + "/s"; }

std::string eta(const LiveState& state) {
  if (state.state == RunState::waiting_for_space) {
    return std::string{name(state.state)};
  }
  if (!state.eta_s) {
    return "ETA unknown";
  }
  // Early on the speed is a guess: a sign says so.
  const auto time =
      std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>{std::min(*state.eta_s, 1e8)});
  return fmt::format("ETA {}{}", state.progress() < 0.05 ? "~" : "", duration(time));
}

}  // namespace pantile::words
