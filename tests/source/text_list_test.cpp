#include "source/text_list.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "source/temp_images.hpp"

namespace pantile::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextListTest : public ::testing::Test {
 protected:
  std::vector<std::string> read(const std::string& text) {
    testing::write_file(path_, text);
    const NameList names = read_list(path_);
    std::vector<std::string> all;
    for (std::size_t at = 0; at < names.size(); ++at) {
      all.emplace_back(names.name(at));
    }
    return all;
  }
  std::string refusal(const std::string& text) {
    try {
      static_cast<void>(read(text));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no UsageError";
  }
  testing::TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "sub" / "some.txt";
};

TEST_F(TextListTest, KeepsTheOrderOfItsLines) {
  EXPECT_THAT(read("b.png\na.png\nsub/c d.png"), ElementsAre("b.png", "a.png", "sub/c d.png"));
}

TEST_F(TextListTest, LeavesOutCommentsAndBlankLinesAndWhatEditorsAdd) {
  EXPECT_THAT(read("\xEF\xBB\xBF# first\r\n\r\n  \na.png\r\n#b.png\n./#c.png\n"), ElementsAre("a.png", "#c.png"));
  EXPECT_THAT(read(""), ElementsAre());
}

TEST_F(TextListTest, NamesFilesFromItsOwnFolder) {
  const std::string folder = (folder_.path() / "sub").string();
  EXPECT_THAT(read("./x/../a.png\n" + folder + "/d/b.png\n../up.png\n/elsewhere/c.png\n"),
              ElementsAre("a.png", "d/b.png", "../up.png", "/elsewhere/c.png"));
}

TEST_F(TextListTest, RefusesAFileThatIsNamedTwiceAndNamesThatAreNotUtf8) {
  EXPECT_THAT(refusal("a.png\nb.png\n# c\n./a.png\n"),
              HasSubstr("some.txt:4: a.png is on the list already, on line 1"));
  EXPECT_THAT(refusal("a.png\nlatin-\xE4.png\n"), HasSubstr("some.txt:2: the name is not UTF-8"));
}

TEST_F(TextListTest, RefusesLinesThatAreNoPath) {
  EXPECT_THAT(refusal("a.png\n" + std::string(5000, 'a') + "\nb.png"),
              HasSubstr("some.txt:2: the name is longer than the 4096 bytes"));
  EXPECT_THAT(refusal("a.png\n#" + std::string(5000, 'a')), HasSubstr("some.txt:2: the name is longer"));
  EXPECT_THAT(refusal(std::string("a.png\0b\n", 9)), HasSubstr("some.txt:1: the name has a byte 0 in it"));
  EXPECT_THAT(refusal(std::string(std::size_t{1} << 21U, '\0')), HasSubstr("some.txt:1: the name is longer"));
}

TEST_F(TextListTest, ReadsListsLargerThanItsBuffer) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back(std::to_string(i) + ".png");
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
  }
  EXPECT_EQ(read(text), expected);
}

}  // namespace
}  // namespace pantile::detail
