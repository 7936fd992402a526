#include "source/tar.hpp"

#include <gmock/gmock.h>

#include <random>

#include "base/error.hpp"
#include "source/temp_images.hpp"

namespace pantile::detail {
namespace {

using ::testing::HasSubstr;
using testing::tar_end;
using testing::tar_member;
using testing::TempFolder;

class TarTest : public ::testing::Test {
 protected:
  std::vector<TarMember> list(const std::string& bytes) {
    testing::write_file(path_, bytes);
    std::vector<TarMember> members;
    list_tar(path_, [&](const TarMember& member) { members.push_back(member); });
    return members;
  }
  std::string refusal(const std::string& bytes) {
    try {
      static_cast<void>(list(bytes));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no UsageError";
  }
  TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "a.tar";
};

TEST_F(TarTest, TellsWhereTheBytesOfEachMemberLie) {
  const std::string bytes = tar_member("./a.png", "first") + tar_member("d/", "", '5') +
                            tar_member("d//b.png", std::string(513, 'x')) + tar_end();
  const auto members = list(bytes);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].name, "a.png");
  EXPECT_EQ(bytes.substr(members[0].at, members[0].bytes), "first");
  EXPECT_EQ(members[1].name, "d/b.png");
  EXPECT_EQ(bytes.substr(members[1].at, members[1].bytes), std::string(513, 'x'));
  FileReader file{path_};
  EXPECT_TRUE(is_tar_member(file, members[1].at, 513));
  EXPECT_FALSE(is_tar_member(file, members[1].at, 512)) << "of another size";
  EXPECT_FALSE(is_tar_member(file, members[1].at + 512, 513)) << "no header before it";
}

TEST_F(TarTest, StepsOverTheMapOfASparseFile) {
  std::string header = tar_member("sparse.png", "", 'S');
  const auto put = [&header](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(257, std::string{"ustar  \0", 8});
  put(124, "00000001000");  // 512 bytes are stored
  put(482, "\1");
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : header) {
    sum += static_cast<unsigned char>(c);
  }
  std::string digits(6, '0');
  for (std::size_t i = 6; i-- > 0; sum /= 8) {
    digits[i] = static_cast<char>('0' + sum % 8);
  }
  put(148, digits + std::string{"\0 ", 2});
  std::string more(512, '7');
  std::string last(512, '7');
  more[504] = '\1';
  last[504] = '\0';
  const std::string data(512, 'x');
  const auto members = list(header + more + last + data + tar_member("a.png", "first") + tar_end());
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].failure.fault, Fault::unsupported);
  EXPECT_EQ(members[1].name, "a.png");
  EXPECT_THAT(refusal(header + more), HasSubstr("cut short"));
}

TEST_F(TarTest, TakesLongNamesAndSizesFromTheRecordsBefore) {
  const std::string name(300, 'n');
  const auto gnu =
      list(tar_member("././@LongLink", name + '\0', 'L') + tar_member(name.substr(0, 99), "data") + tar_end());
  ASSERT_EQ(gnu.size(), 1U);
  EXPECT_EQ(gnu[0].name, name);
  const std::string records = "14 path=ü/ä\n10 size=3\n19 comment=ignored\n";
  const auto pax = list(tar_member("pax", records, 'x') + tar_member("x", "abcdef") + tar_end());
  ASSERT_EQ(pax.size(), 1U);
  EXPECT_EQ(pax[0].name, "ü/ä");
  EXPECT_EQ(pax[0].bytes, 3U);
}

TEST_F(TarTest, NamesWhatLinksLeadTo) {
  const auto members = list(tar_member("h", "", '1', "./d/a.png") + tar_member("d/s", "", '2', "../b.png") + tar_end());
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].link, "d/a.png");
  EXPECT_EQ(members[1].link, "b.png");
}

TEST_F(TarTest, LeavesOutWhatHasNoNameOfAFile) {
  for (const char type : {'0', '1', '2', 'S'}) {
    EXPECT_TRUE(list(tar_member("", "", type, "a.png") + tar_end()).empty()) << type;
    EXPECT_TRUE(list(tar_member("./", "", type, "a.png") + tar_end()).empty()) << type;
    EXPECT_TRUE(list(tar_member("d/", "", type, "a.png") + tar_end()).empty()) << type;
  }
}

TEST_F(TarTest, SparseMembersAreNotReadAsIfTheyWereWhole) {
  const auto members = list(tar_member("pax", "22 GNU.sparse.major=1\n", 'x') + tar_member("s.png", "map") + tar_end());
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members[0].failure.fault, Fault::unsupported);
}

TEST_F(TarTest, RefusesWhatIsCutShortDamagedOrNoTar) {
  const std::string good = tar_member("a.png", std::string(2000, 'x'));
  EXPECT_THAT(refusal(good.substr(0, 1500)), HasSubstr("cut short"));
  EXPECT_THAT(refusal(good + tar_member("b.png", "data").substr(0, 100)), HasSubstr("cut short"));
  std::string damaged = good + tar_member("b.png", "data");
  damaged[2560 + 3] ^= 1;
  EXPECT_THAT(refusal(damaged), HasSubstr("damaged at byte 2560"));
  EXPECT_THAT(refusal(std::string(2048, 'x')), HasSubstr("no tar archive"));
  EXPECT_THAT(refusal(""), HasSubstr("no tar archive"));
  EXPECT_THAT(refusal("\x1F\x8B\x08" + good), HasSubstr("compressed as a whole"));
  EXPECT_EQ(list(good).size(), 1U) << "only the mark of the end is missing: that is common, and warned of";
}

/// Whatever the bytes, a member that is handed out lies within the file.
TEST_F(TarTest, SurvivesAnyBytes) {
  const std::string whole = tar_member("a.png", std::string(700, 'x')) +
                            tar_member("long", std::string(120, 'n'), 'L') +
                            tar_member("pax", "14 path=ü/ä\n10 size=3\n", 'x') + tar_member("b", "abc") +
                            tar_member("h", "", '1', "a.png") + tar_end();
  std::mt19937 random{7};
  for (int round = 0; round < 600; ++round) {
    std::string bytes = whole;
    for (int flips = 0; flips < 1 + round % 4; ++flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (round % 3 == 0) {
      bytes.resize(random() % bytes.size());
    }
    if (round % 2 == 0) {  // With right sums, so that what is behind them is reached.
      for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512) {
        bytes.replace(at + 148, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = 0; i < 512; ++i) {
          sum += static_cast<std::uint8_t>(bytes[at + i]);
        }
        std::array<char, 8> text{};
        std::snprintf(text.data(), text.size(), "%06o", sum);
        bytes.replace(at + 148, 7, text.data(), 7);
      }
    }
    try {
      for (const TarMember& member : list(bytes)) {
        EXPECT_LE(member.at + member.bytes, bytes.size()) << "round " << round;
      }
    } catch (const UsageError&) {
      continue;  // A refusal is an answer too.
    }
  }
}

}  // namespace
}  // namespace pantile::detail
