#include <gmock/gmock.h>

#include <thread>

#include "base/log.hpp"
#include "report/progress.hpp"
#include "states.hpp"

namespace pantile {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Mode = ProgressDisplay::Mode;
const ProgressTexts texts{.job = "job.yaml", .run_folder = "out/run"};

/// What stderr gets while `work` runs.
template <class Work>
std::string stderr_of(const Work& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

/// What is left on a terminal that got `text`: knows \r, "up N lines" and "clear below", which is all the display uses.
std::string screen_after(const std::string& text) {
  std::vector<std::string> rows{""};
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      rows.emplace_back();
    } else if (text.compare(at, 3, "\x1b[J") == 0) {
      at += 2;
    } else if (text[at] == '\x1b') {
      const auto end = text.find('A', at);
      const auto up = static_cast<std::size_t>(std::stoi(text.substr(at + 2, end - at - 2)));
      rows.resize(rows.size() - up);
      rows.back().clear();
      at = end;
    } else if (text[at] != '\r') {
      rows.back() += text[at];
    }
  }
  std::string screen;
  for (const std::string& row : rows) {
    screen += row + '\n';
  }
  return screen;
}

TEST(ProgressDisplay, WithoutATerminalThereAreOnlyWholeLines) {
  const std::string text = stderr_of([] {
    ProgressDisplay display{texts};
    display.update(busy_state());
    log::warn("disk is nearly full");
    display.update(busy_state());
    display.finish(busy_state(), ExitCode::stopped);
    log::info("after");
  });
  EXPECT_THAT(text, AllOf(HasSubstr(" start "), HasSubstr("Z warning  disk is nearly full\n"), HasSubstr("exit 75\n"),
                          EndsWith("\nafter\n"), Not(HasSubstr("\r")), Not(HasSubstr("\x1b"))));
}

TEST(ProgressDisplay, LogLinesDoNotTearTheBlock) {
  const std::string text = stderr_of([] {
    ProgressDisplay display{texts, Mode::terminal};
    display.update(busy_state());
    log::warn("one");
    log::warn("two");
    std::this_thread::sleep_for(std::chrono::milliseconds{120});
    display.update(busy_state());
  });
  EXPECT_THAT(text, HasSubstr("manga-2x"));
  EXPECT_EQ(screen_after(text), "warning: one\nwarning: two\n\n") << "the block is gone, what was said stays";
}

TEST(ProgressDisplay, DrawsAtMostTenTimesASecond) {
  const std::string text = stderr_of([] {
    ProgressDisplay display{texts, Mode::terminal};
    for (int i = 0; i < 10'000; ++i) {
      display.update(busy_state());
    }
  });
  int blocks = 0;
  for (auto at = text.find("manga-2x"); at != std::string::npos; at = text.find("manga-2x", at + 1)) {
    ++blocks;
  }
  EXPECT_GE(blocks, 1);
  EXPECT_LE(blocks, 30) << "10,000 updates take far less than three seconds";
}

TEST(ProgressDisplay, ClosingLinesReplaceTheBlock) {
  const std::string text = stderr_of([] {
    ProgressDisplay display{texts, Mode::terminal};
    display.update(busy_state());
    display.finish(busy_state(), ExitCode::done);
    display.update(busy_state());
  });
  EXPECT_THAT(screen_after(text), AllOf(StartsWith("done     655 of 1205"), Not(HasSubstr("manga-2x"))));
}

TEST(ProgressDisplay, ManyThreadsMaySpeak) {
  const std::string text = stderr_of([] {
    ProgressDisplay display{texts, Mode::terminal};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&display] {
        for (int i = 0; i < 50; ++i) {
          log::info("line");
          display.update(busy_state());
        }
      });
    }
  });
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    expected += "line\n";
  }
  EXPECT_EQ(screen_after(text), expected + "\n");
}

}  // namespace
}  // namespace pantile
