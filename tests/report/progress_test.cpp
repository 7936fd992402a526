#include "report/progress.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "states.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const ProgressTexts texts{.job = "job.yaml", .run_folder = "out/manga-2x"};

/// A run of `length`, looked at each second (20,000 times if it is long), with steady progress.
std::vector<std::string> watched(std::chrono::seconds length, int messages = 0) {
  ProgressLog log{texts};
  std::vector<std::string> lines;
  const auto keep = [&](const std::vector<std::string>& more) { lines.insert(lines.end(), more.begin(), more.end()); };
  LiveState state = busy_state();
  state.messages.clear();
  state.epoch = 1;
  state.pixels_before = 0;
  const auto step = std::max(1s, length / 20'000);
  for (auto t = 0s; t < length; t += step) {
    state.pixels_done = static_cast<std::uint64_t>(static_cast<double>(state.pixels) * static_cast<double>(t.count()) /
                                                   static_cast<double>(length.count()));
    if (t / step < messages) {
      add_message(state, log::Level::warn, "message " + std::to_string(t.count()));
    }
    keep(log.on(state, nine_o_clock + t));
  }
  state.pixels_done = state.pixels;
  state.state = RunState::done;
  keep(log.finish(state, ExitCode::done, nine_o_clock + length));
  return lines;
}

int progress_lines(const std::vector<std::string>& lines) {
  return static_cast<int>(std::count_if(
      lines.begin(), lines.end(), [](const std::string& l) { return l.find(" progress ") != std::string::npos; }));
}

TEST(ProgressLog, IsShortWhateverTheLengthOfTheRun) {
  for (const std::chrono::seconds length : {0s, 1s, 10s, 195s, 3600s, 12 * 3600s, 7 * 86400s, 365 * 86400s}) {
    for (const int messages : {0, 10'000}) {
      SCOPED_TRACE(std::to_string(length.count()) + " s");
      const auto lines = watched(length, messages);
      EXPECT_LE(lines.size(), 200U);
      EXPECT_GE(lines.size(), 3U);
      for (const std::string& line : lines) {
        EXPECT_EQ(line.find_first_of("\r\x1b\n"), std::string::npos) << line;
        EXPECT_THAT(line, testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z .*"));
      }
    }
  }
}

TEST(ProgressLog, ShowsSignsOfLifeInALongRun) {
  const auto lines = watched(12 * 3600s);
  EXPECT_GE(progress_lines(lines), 25);
  EXPECT_LE(progress_lines(lines), 60);
}

TEST(ProgressLog, MarksAreOnePerCentFiveTenAndEachFurtherTen) {
  const auto lines = watched(290s);
  EXPECT_EQ(progress_lines(lines), 11);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("2026-11-21T09:00:03Z start    manga-2x  3 ranks, 1205 items, 38.4 Gpx")));
  EXPECT_THAT(lines[1], HasSubstr("devices  2: node1:cpu0 cap 6.00 GiB, n2:cpu11 cap 1000 B"));
  EXPECT_THAT(lines[2], HasSubstr("progress   1 %"));
  EXPECT_THAT(lines[3], HasSubstr("progress   5 %"));
  EXPECT_THAT(lines[4], HasSubstr("progress  10 %"));
  EXPECT_THAT(lines[12], HasSubstr("progress  90 %"));
  EXPECT_THAT(lines[13], HasSubstr("done     655 of 1205 items"));
  EXPECT_THAT(lines[14], HasSubstr("next     pantile verify out/manga-2x"));
}

TEST(ProgressLog, AShortRunDoesNotFlood) { EXPECT_LE(progress_lines(watched(10s)), 5); }

TEST(ProgressLog, SaysEachMessageOnceAndKnowsWhenItIsEnough) {
  ProgressLog log{texts};
  LiveState state = busy_state();
  EXPECT_THAT(log.on(state, nine_o_clock),
              ElementsAre(HasSubstr("start "), HasSubstr("devices "), HasSubstr("note     node2 joined"),
                          HasSubstr("warning  x17.tif quarantined")));
  EXPECT_THAT(log.on(state, nine_o_clock + 1s), IsEmpty());
  add_message(state, log::Level::error, "rank 2 is lost\r\x1b[2J");
  EXPECT_THAT(log.on(state, nine_o_clock + 2s), ElementsAre(HasSubstr("error    rank 2 is lost??[2J")));
  int said = 0;
  for (int i = 0; i < 1000; ++i) {
    said += static_cast<int>(log.on_line(log::Level::warn, "warning: again", nine_o_clock).size());
  }
  EXPECT_EQ(said, ProgressLog::max_notes - 3 + 1);
  EXPECT_THAT(log.on_line(log::Level::error, "error: still heard", nine_o_clock),
              ElementsAre(HasSubstr("error    still heard")));
}

TEST(ProgressLog, ARestartStartsItsMessagesAnew) {
  ProgressLog log{texts};
  LiveState state = busy_state();
  (void)log.on(state, nine_o_clock);
  state.epoch = 3;
  state.messages.clear();
  add_message(state, log::Level::warn, "rank 1 was lost");
  EXPECT_THAT(log.on(state, nine_o_clock + 60s),
              ElementsAre(AllOf(HasSubstr("restart "), HasSubstr("epoch 3, 655 done before")), HasSubstr("devices "),
                          HasSubstr("rank 1 was lost")));
}

TEST(ProgressLog, WaitsWithTheStartUntilTheCatalogIsKnown) {
  ProgressLog log{texts};
  LiveState state;
  state.epoch = 1;
  EXPECT_THAT(log.on(state, nine_o_clock), IsEmpty());
  EXPECT_THAT(log.on(state, nine_o_clock + 600s), IsEmpty());
}

}  // namespace
}  // namespace pantile
