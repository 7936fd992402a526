#include <gmock/gmock.h>

#include "report/progress.hpp"
#include "states.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

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

  node1:cpu0  ███████▌  97 %  5.00 GiB of 6.00 GiB  2 jobs  44.0 Mpx/s  slide_0093.png tile 17/36
  n2:cpu11    ███·····  38 %  10 B of 1000 B  1 job  0.00 Mpx/s

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

  node1:cpu0  #######.  97 %  5.00 GiB of 6.00 GiB  2 jobs  44.0 Mpx/s ~
  n2:cpu11    ###.....  38 %  10 B of 1000 B  1 job  0.00 Mpx/s

  ! x17.tif quarantined: TIFF strip 40 of 812 is cut short
  stopping, resumable: finishing what is in flight; Ctrl-C again = stop~
)");
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
