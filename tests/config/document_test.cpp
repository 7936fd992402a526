#include "config/document.hpp"

#include <gmock/gmock.h>

#include "sample.hpp"

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string complaint(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  (void)parse_document("job.yaml", text, diagnostics);
  return diagnostics.empty() ? "" : render(diagnostics[0], Paint::plain);
}

TEST(Document, RefusesWhatYamlCppLetsPass) {
  EXPECT_THAT(complaint("a: 1\nb: 2\na: 3\n"),
              HasSubstr("'a' is given twice (first at job.yaml:1:1)\n  --> job.yaml:3:1"));
  EXPECT_THAT(complaint("x: &x {a: 1}\ny:\n  <<: *x\n"), HasSubstr("'<<' is not supported\n  --> job.yaml:3:3"));
  EXPECT_THAT(complaint("a: 1\n---\nb: 2\n"), HasSubstr("there is a second YAML document"));
  EXPECT_THAT(complaint("[1, 2]: 3\n"), HasSubstr("a key must be a word"));
}

TEST(Document, ACommaAtTheBeginningIsNoEndlessStreamOfDocuments) {
  EXPECT_THAT(complaint(", a: b\n"), HasSubstr("this is not YAML\n  --> job.yaml:1:1"));
  EXPECT_THAT(complaint("{a: 1} b\n"), HasSubstr("there is a second YAML document\n  --> job.yaml:1:8"));
  EXPECT_THAT(complaint("]\n"), HasSubstr("this is not YAML"));
  EXPECT_EQ(complaint("---\na: 1\n...\n"), "");
}

TEST(Document, AliasesWorkButBombsAndCyclesEnd) {
  EXPECT_EQ(complaint("a: &a [1, 2]\nb: *a\n"), "");
  EXPECT_THAT(complaint("a: &a [*a]\n"), HasSubstr("'a.0' holds itself through an alias\n  --> job.yaml:1:"));
  EXPECT_THAT(complaint("a: &a {b: {c: *a}}\n"), HasSubstr("'a.b.c' holds itself through an alias"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below;
    for (int j = 1; j < 10; ++j) {
      bomb += ", " + below;
    }
    bomb += "]\n";
  }
  EXPECT_THAT(complaint(bomb), HasSubstr("nested too deeply or too large"));
  EXPECT_NE(complaint(std::string(2000, '[')), "");
  std::string long_list = "a: [x";
  for (int i = 0; i < 20'000; ++i) {
    long_list += ",x";
  }
  EXPECT_THAT(complaint(long_list + "]\n"), HasSubstr("nested too deeply or too large"));
}

TEST(Document, ScalarsAreWrittenSoThatTheyReadBackAsTheSameText) {
  for (const std::string text :
       {"plain",       "1/255",       "",      " ", "null", "true",  "a: b", "# no", "- x", "-x", "say \"hi\"",
        "back\\slash", "line\nbreak", "tab\t", "ü", "80%",  "*star", "&and", "[",    "{",   "!",  "@",
        "`",           "'",           "~"}) {
    std::vector<Diagnostic> diagnostics;
    const ConfigNode node = parse_document("x", "k: " + yaml_scalar(text) + "\n", diagnostics);
    SCOPED_TRACE(text);
    EXPECT_TRUE(diagnostics.empty());
    ASSERT_NE(node.find("k"), nullptr);
    EXPECT_EQ(node.find("k")->kind, ConfigNode::Kind::scalar);
    EXPECT_EQ(node.find("k")->text, text);
  }
}

TEST(Document, FlattensToLeavesByIdOrPosition) {
  EXPECT_THAT(flatten_yaml("a: {b: 1}\nlist: [{id: up, c: 2}, {c: 3}]\ns: [x, y]\ne: []\n"),
              ElementsAre(Pair("a.b", "1"), Pair("list.up.id", "up"), Pair("list.up.c", "2"), Pair("list.1.c", "3"),
                          Pair("s", "[x, y]"), Pair("e", "[]")));
  EXPECT_THROW((void)flatten_yaml("a: ["), Error);
}

}  // namespace
}  // namespace pantile
