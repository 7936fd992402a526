#include "config/diagnostics.hpp"

#include <gmock/gmock.h>

#include "sample.hpp"

namespace pantile {
namespace {

using testing::HasSubstr;

Place place(const std::string& line, int column, int length) {
  auto source = std::make_shared<ConfigSource>(ConfigSource{.display = "job.yaml", .lines = {"", line}});
  return {std::move(source), 1, column, length};
}

TEST(Diagnostics, CaretStandsUnderTheWordBehindWideBytesAndTabs) {
  EXPECT_EQ(render({"bad", place("näme:\tx", 7, 1), "hint"}, Paint::plain),
            "error: bad\n  --> job.yaml:2:8\n   |\n 2 | näme: x\n   |       ^ hint\n");
}

TEST(Diagnostics, OfAVeryLongLineThePartAroundThePlaceIsShown) {
  const std::string line = "[" + std::string(500, 'a') + "ä" + std::string(59, 'b') + "WRONG" + std::string(500, 'c');
  const std::string text = render({"bad", place(line, 562, 5), "hint"}, Paint::plain);
  EXPECT_EQ(text, "error: bad\n  --> job.yaml:2:563\n   |\n 2 | … ä" + std::string(59, 'b') + "WRONG" +
                      std::string(95, 'c') + " …\n   | " + std::string(62, ' ') + "^^^^^ hint\n");
}

TEST(Diagnostics, PlacesBeyondTheTextAreClamped) {
  EXPECT_EQ(render({"bad", place("ab", 9, 5), ""}, Paint::plain),
            "error: bad\n  --> job.yaml:2:10\n   |\n 2 | ab\n   |   ^\n");
}

TEST(Diagnostics, ColourAddsNothingButColour) {
  const Diagnostic diagnostic{"bad", place("abc", 1, 1), "hint"};
  std::string text = render(diagnostic, Paint::color);
  EXPECT_THAT(text, HasSubstr("\x1b["));
  for (auto at = text.find('\x1b'); at != std::string::npos; at = text.find('\x1b')) {
    text.erase(at, text.find('m', at) - at + 1);
  }
  EXPECT_EQ(text, render(diagnostic, Paint::plain));
}

TEST(Diagnostics, ManyMistakesAreCountedButNotAllShown) {
  std::string job = minimal_job;
  for (int i = 0; i < 30; ++i) {
    job += "bad" + std::to_string(i) + ": 1\n";
  }
  const std::string text = refusal(job);
  EXPECT_THAT(text, HasSubstr("… and 10 more.\n30 errors, nothing was started."));
}

TEST(Diagnostics, NoColorIsHonoured) {
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(paint_of_stderr(), Paint::plain);
  ::unsetenv("NO_COLOR");
}

}  // namespace
}  // namespace pantile
