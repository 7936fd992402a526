#include "source/glob.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace pantile {
namespace {

struct Case {
  const char* pattern;
  const char* path;
  bool matches;
};

TEST(Glob, MatchesAsItsHeaderSays) {
  const std::vector<Case> cases{
      {"*.png", "a.png", true},
      {"*.png", "sub/a.png", false},
      {"*.png", "a.PNG", false},
      {"**/*.png", "a.png", true},
      {"**/*.png", "x/y/a.png", true},
      {"**/*.png", "x/y/a.jpg", false},
      {"raw/**", "raw/a.png", true},
      {"raw/**", "raw/x/y.png", true},
      {"raw/**", "raw", true},
      {"raw/**", "draw/a.png", false},
      {"a/**/b/*.png", "a/b/x.png", true},
      {"a/**/b/*.png", "a/b/b/c/b/x.png", true},
      {"a/**/b/*.png", "a/c/x.png", false},
      {"**/a/**/b", "x/a/a/y/b", true},
      {"**", "any/thing", true},
      {"a**b", "axxb", true},
      {"a**b", "ax/xb", false},
      {"page-??.png", "page-07.png", true},
      {"page-??.png", "page-7.png", false},
      {"a?b", "a/b", false},
      {"vol-0[1-3]/*", "vol-02/a", true},
      {"vol-0[1-3]/*", "vol-04/a", false},
      {"[!a]*", "bcd", true},
      {"[!a]*", "abc", false},
      {"[]x]", "]", true},
      {"[a-]", "-", true},
      {"*.{png,jpg}", "a.jpg", true},
      {"*.{png,jpg}", "a.gif", false},
      {"{a,b/{c,d}}/*.png", "b/d/x.png", true},
      {"{a,b/{c,d}}/*.png", "b/x.png", false},
      {"a{,b}.png", "a.png", true},
      {"[{]*", "{x", true},
      {"\\*.png", "*.png", true},
      {"\\*.png", "a.png", false},
      {"a\\{b\\}", "a{b}", true},
      {"*a*b*c", "xaybzc", true},
      {"*a*b*c", "xaybz", false},
      {"", "", true},
      {"seite-ä*", "seite-ä1", true},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(Glob{one.pattern}.matches(one.path), one.matches) << one.pattern << " on " << one.path;
  }
}

TEST(Glob, RefusesWhatDoesNotClose) {
  EXPECT_THROW(Glob{"*.{png,jpg"}, UsageError);
  EXPECT_THROW(Glob{"[a-c"}, UsageError);
  EXPECT_THROW(Glob{"[a/b]"}, UsageError);
}

TEST(Glob, RefusesBracesWithoutMeasure) {
  std::string pattern;
  for (int i = 0; i < 11; ++i) {
    pattern += "{a,b}";
  }
  EXPECT_THROW(Glob{pattern}, UsageError);
  EXPECT_NO_THROW(Glob{pattern.substr(5)});
}

TEST(Glob, ManyStarsTakeNoTimeToFail) {
  std::string pattern;
  for (int i = 0; i < 30; ++i) {
    pattern += "**/*a*a*/";
  }
  std::string path;
  for (int i = 0; i < 60; ++i) {
    path += "aaaaaaaaaaaaaaaaaaaa/";
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(Glob{pattern + "b"}.matches(path + "c"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
}

}  // namespace
}  // namespace pantile
