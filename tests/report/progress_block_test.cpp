#include <gmock/gmock.h>

#include "report/progress.hpp"
#include "states.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string drawn(const LiveState& state, int width, Charset charset) {
  std::string text = "\n";
  for (const std::string& line : progress_block(state, nine_o_clock + 134s, width, charset)) {
    text += line + "\n";
  }
  return text;
}

TEST(ProgressBlock, LooksLikeThis) {
  EXPECT_EQ(drawn(busy_state(), 110, Charset::utf8), R"(
manga-2x · 3 ranks · resumed, epoch 2                                                            02:14 elapsed
  █████████████████████▌··················   54 %  20.7 Gpx of 38.4 Gpx  168 Mpx/s  ETA 01:45
  items  655 done · 1 quarantined · 40 computed · 24 running · 485 waiting

  device                busy       cap  predicted      used    others       speed
  node1:cpu0  ███████▌  97 %  6.00 GiB   5.50 GiB  5.00 GiB   700 MiB  44.0 Mpx/s  2 lanes  slide_0093.png ti…
  n2:cpu11    ███·····  38 %    1000 B      999 B      10 B       0 B  0.00 Mpx/s  1 lane

  ! x17.tif quarantined: TIFF strip 40 of 812 is cut short
  Ctrl-C once = finish what is in flight and stop (resumable); twice = stop now
)");
}

TEST(ProgressBlock, IsPlainWhereTheLocaleIs) {
  LiveState state = busy_state();
  state.run = "m\xC3\xA4nga";
  state.state = RunState::draining;
  state.eta_s.reset();
  EXPECT_EQ(drawn(state, 72, Charset::ascii), R"(
m?nga - 3 ranks - resumed, epoch 2 - draining              02:14 elapsed
  #####.....   54 %  20.7 Gpx of 38.4 Gpx  168 Mpx/s  ETA unknown
  items  655 done - 1 quarantined - 40 computed - 24 running - 485 wait~

  device       busy       cap  predicted      used    others       speed
  node1:cpu0   97 %  6.00 GiB   5.50 GiB  5.00 GiB   700 MiB  44.0 Mpx/s
  n2:cpu11     38 %    1000 B      999 B      10 B       0 B  0.00 Mpx/s

  ! x17.tif quarantined: TIFF strip 40 of 812 is cut short
  stopping, resumable: finishing what is in flight; Ctrl-C again = stop~
)");
}

/// A terminal of 80 columns gives 79.
TEST(ProgressBlock, ShowsAllMemoryOfADeviceIn80Columns) {
  LiveState state = busy_state();
  state.messages.clear();
  for (DeviceLive& device : state.devices) {
    device.utilisation = 1;
    device.cap_bytes = device.predicted_bytes = device.used_bytes = device.others_bytes = std::uint64_t{1023} << 20U;
  }
  const auto block = [&](CtrlC ctrl_c) { return progress_block(state, nine_o_clock, 79, Charset::utf8, ctrl_c); };
  EXPECT_THAT(block(CtrlC::ends_display),
              ElementsAre(HasSubstr("manga-2x"), HasSubstr("54 %"), HasSubstr("655 done"), "",
                          "  device              busy       cap  predicted      used    others       speed",
                          "  node1:cpu0  ██████ 100 %  1023 MiB   1023 MiB  1023 MiB  1023 MiB  44.0 Mpx/s",
                          "  n2:cpu11    ██████ 100 %  1023 MiB   1023 MiB  1023 MiB  1023 MiB  0.00 Mpx/s", "",
                          "  Ctrl-C ends this display; the run goes on"));
  state.devices[0].name = "4f1c2ab07d93:cpu0";
  EXPECT_EQ(block(CtrlC::unsaid).back(),
            "  n2:cpu11           100 %  1023 MiB   1023 MiB  1023 MiB  1023 MiB  0.00 Mpx/s");
}

TEST(ProgressBlock, OfARunThatHasEndedHasNothingAhead) {
  LiveState state = busy_state();
  state.state = RunState::stopped;
  state.devices.clear();
  EXPECT_THAT(
      progress_block(state, nine_o_clock, 79, Charset::utf8, CtrlC::unsaid),
      ElementsAre(HasSubstr("stopped"), Not(HasSubstr("ETA")), HasSubstr("655 done"), "", HasSubstr("x17.tif")));
}

TEST(ProgressBlock, NeverLeavesItsWidthNorItsLines) {
  LiveState state = busy_state();
  state.run = "evil\x1b[2J\r\n名前名前名前名前名前名前名前名前名前名前名前名前名前名前名前名前名前名前";
  state.devices.assign(4096, state.devices[0]);
  state.devices[0].doing = "ページ/ページ/ページ/ページ/ページ.png\xFF";
  state.devices[0].utilisation = 7;
  for (const Charset charset : {Charset::ascii, Charset::utf8}) {
    for (const int width : {0, 20, 40, 79, 80, 119, 300}) {
      for (const double share : {0.0, 0.3, 1.0, 2.0}) {
        state.pixels_done = static_cast<std::uint64_t>(share * static_cast<double>(state.pixels));
        const auto lines = progress_block(state, nine_o_clock, width, charset);
        EXPECT_LE(lines.size(), 24U);
        for (const std::string& line : lines) {
          EXPECT_LE(columns(line), static_cast<std::size_t>(std::max(20, width))) << line;
          EXPECT_EQ(line.find_first_of("\r\n\x1b\x7f"), std::string::npos);
        }
      }
    }
  }
}

TEST(ClosingLines, SayWhatWasDoneAndWhatComesNext) {
  const ProgressTexts texts{.job = "job.yaml", .run_folder = "out/run"};
  const WallTime end = nine_o_clock + 195s;
  LiveState state = busy_state();
  state.state = RunState::done;
  state.done = 1204;
  state.pixels_done = state.pixels;
  EXPECT_THAT(closing_lines(state, end, ExitCode::quarantined, texts),
              ElementsAre("done     1204 of 1205 items, 1 quarantined, 03:15, 193 Mpx/s, exit 3",
                          "next     why: out/run/quarantine.csv; the rest: pantile verify out/run"));
  EXPECT_THAT(closing_lines(state, end, ExitCode::stopped, texts),
              ElementsAre(HasSubstr("stopped  1204 of 1205 items"), HasSubstr("pantile run job.yaml")));
  EXPECT_THAT(closing_lines(state, end, ExitCode::failed, texts),
              ElementsAre(HasSubstr("failed   1204 of 1205 items"), HasSubstr("out/run/logs")));
  state.quarantined = 0;
  EXPECT_THAT(closing_lines(state, nine_o_clock, ExitCode::done, texts),
              ElementsAre("done     1204 of 1205 items, 00:00, 0.00 Mpx/s, exit 0", "next     pantile verify out/run"));
}

}  // namespace
}  // namespace pantile
