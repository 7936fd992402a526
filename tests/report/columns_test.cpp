#include "report/columns.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

TEST(Columns, CountWhatATerminalShows) {
  EXPECT_EQ(columns(""), 0U);
  EXPECT_EQ(columns("abc"), 3U);
  EXPECT_EQ(columns("äöü…"), 4U);
  EXPECT_EQ(columns("ページ"), 6U);
  EXPECT_EQ(columns("한"), 2U);
}

TEST(Columns, CleanLeavesNothingThatMovesTheCursor) {
  EXPECT_EQ(clean("a\x1b[2Jb\r\nc\x7f", Charset::utf8), "a?[2Jb??c?");
  EXPECT_EQ(clean("\xC2\x9B"
                  "2J",
                  Charset::utf8),
            "?2J")
      << "the one-byte form of the escape";
  EXPECT_EQ(clean("\xFF\xC3(\xC0\x80\xED\xA0\x80\xE3\x83", Charset::utf8),
            std::string(2, '?') + "(" + std::string(7, '?'));
  EXPECT_EQ(clean("ページ", Charset::utf8), "ページ");
  EXPECT_EQ(clean("aペ", Charset::ascii), "a?");
}

TEST(Columns, FitCutsAtWholeCharacters) {
  EXPECT_EQ(fit("abcdef", 6, Charset::utf8), "abcdef");
  EXPECT_EQ(fit("abcdef", 5, Charset::utf8), "abcd…");
  EXPECT_EQ(fit("abcdef", 5, Charset::ascii), "abcd~");
  EXPECT_EQ(fit("ページ", 5, Charset::utf8), "ペー…");
  EXPECT_EQ(fit("ページ", 4, Charset::utf8), "ペ…");
  EXPECT_EQ(fit("ab", 0, Charset::utf8), "");
}

TEST(Columns, PadFillsToTheWidth) {
  EXPECT_EQ(pad_right("ä", 3), "ä  ");
  EXPECT_EQ(pad_left("ペ", 3), " ペ");
  EXPECT_EQ(pad_left("abcd", 3), "abcd");
}

}  // namespace
}  // namespace pantile
