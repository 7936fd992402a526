#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "base/extent.hpp"
#include "base/file.hpp"
#include "base/handle.hpp"
#include "base/hash.hpp"
#include "base/leased_file.hpp"
#include "base/printable.hpp"
#include "base/result.hpp"
#include "base/temp_folder.hpp"

namespace pantile {
namespace {

TEST(ByteSize, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_byte_size("256MiB"), 256 * MiB);
  EXPECT_EQ(parse_byte_size("1.5GiB"), 3 * GiB / 2);
  EXPECT_EQ(parse_byte_size("80KB"), 80'000U);
  EXPECT_EQ(parse_byte_size("4096"), 4096U);
  for (const char* const wrong : {"", "MiB", "4 Mib", "-1", "4MiBs", "1e3", "99999999999TiB"}) {
    EXPECT_EQ(parse_byte_size(wrong), std::nullopt) << wrong;
  }
}

TEST(ByteSize, IsShownWithThreeDigits) {
  EXPECT_EQ(format_byte_size(512), "512 B");
  EXPECT_EQ(format_byte_size(3 * GiB / 2), "1.50 GiB");
  EXPECT_EQ(format_byte_size(150 * MiB), "150 MiB");
}

TEST(Rect, IntersectionLiesInBoth) {
  const Rect a{0, 0, 10, 10};
  EXPECT_EQ(intersection(a, {5, 5, 10, 10}), (Rect{5, 5, 5, 5}));
  EXPECT_TRUE(intersection(a, {10, 0, 5, 5}).empty());
  EXPECT_TRUE(a.contains({0, 0, 10, 10}));
  EXPECT_FALSE(a.contains({1, 1, 10, 9}));
}

TEST(Hash128, AddsAndSubtractsMod2To128) {
  const Hash128 one{0, 1};
  Hash128 sum{~std::uint64_t{0}, ~std::uint64_t{0}};
  sum += one;
  EXPECT_EQ(sum, Hash128{});
  sum -= one;
  EXPECT_EQ(sum, (Hash128{~std::uint64_t{0}, ~std::uint64_t{0}}));
}

TEST(Hash128, TextComesBack) {
  const Hash128 hash{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(to_string(hash), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(parse_hash128(to_string(hash)), hash);
  EXPECT_EQ(parse_hash128("0123"), std::nullopt);
  EXPECT_EQ(parse_hash128("0123456789abcdeffedcba987654321G"), std::nullopt);
}

TEST(Hasher, InPiecesIsTheSameAsAtOnce) {
  const std::string text(10'000, 'x');
  const auto bytes = std::as_bytes(std::span{text});
  Hasher hasher;
  hasher.update(bytes.first(1));
  hasher.update(bytes.subspan(1));
  EXPECT_EQ(hasher.digest(), xxh3_128(bytes));
}

TEST(Handle, ReleasesExactlyOnce) {
  static int freed = 0;
  struct Count {
    using Raw = int;
    static Raw null() { return -1; }
    static void free(Raw /*raw*/) { ++freed; }
  };
  {
    Handle<Count> a{1};
    Handle<Count> b{std::move(a)};
    a = std::move(b);
    b = Handle<Count>{2};
  }
  EXPECT_EQ(freed, 2);
}

TEST(ReplaceFile, LeavesTheOldTextOrTheNewAndNothingElse) {
  const std::filesystem::path folder = std::filesystem::path{::testing::TempDir()} / "replace_file_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  replace_file(folder / "a", "old", Durable::no);
  replace_file(folder / "a", "new", Durable::yes);
  EXPECT_EQ(read_text(folder / "a"), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder}, {}), 1);
}

TEST(ReadFile, SaysWhyItCannot) {
  EXPECT_THROW(static_cast<void>(read_file("/nowhere/at/all")), Error);
  EXPECT_THROW(static_cast<void>(read_file(::testing::TempDir())), Error);  // a folder
}

TEST(OpenFile, NeverWaitsAndWritesThroughNoLink) {
  const testing::TempFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(static_cast<void>(open_file(pipe, O_RDONLY)), Error);
  EXPECT_THROW(static_cast<void>(open_file(pipe, O_RDWR)), Error);
  EXPECT_THROW(static_cast<void>(open_file("/dev/zero", O_RDONLY)), Error);
  EXPECT_THROW(expect_file(pipe), Error);
  const auto link = folder.path() / "link";
  std::filesystem::create_symlink(folder.path() / "new", link);
  EXPECT_THROW(static_cast<void>(open_file(link, O_WRONLY | O_CREAT)), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "new"));
  replace_file(folder.path() / "new", "text", Durable::no);
  EXPECT_EQ(read_text(link), "text") << "to read, links are followed";
  remove_link(link);
  remove_link(folder.path() / "new");
  EXPECT_FALSE(std::filesystem::exists(link));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "new"));
}

TEST(OpenFile, WaitsForAProgramThatHasALeaseOnTheFile) {
  const testing::TempFolder folder;
  const auto path = folder.path() / "a";
  replace_file(path, "text", Durable::no);
  for (const int flags : {O_RDONLY, O_RDWR, O_RDWR | O_CREAT}) {
    const testing::LeasedFile lease{path};
    if (!lease.held()) {
      GTEST_SKIP() << "no leases on this file system";
    }
    EXPECT_NO_THROW(static_cast<void>(open_file(path, flags)));
  }
  EXPECT_EQ(read_text(path), "text");
}

TEST(Printable, NamesDoNotCommandATerminal) {
  EXPECT_EQ(printable("\x1b]0;owned\x07.png"), "\\x1b]0;owned\\x07.png");
  EXPECT_EQ(printable("\x1b[2J\x1b[3;4Hx\r\x7f"), "\\x1b[2J\\x1b[3;4Hx\\x0d\\x7f");
  EXPECT_EQ(printable("sgr\x1b[8mhidden\x1b[0m.png"), "sgr\\x1b[8mhidden\\x1b[0m.png") << "colours are ours alone";
  EXPECT_EQ(printable("a\nerror: b\t\r"), "a\\x0aerror: b\\x09\\x0d") << "no line of the name's own";
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\x9b2J");
  EXPECT_EQ(printable("\x9b"
                      "2J\xff\xc3"),
            "\\x9b2J\\xff\\xc3")
      << "what is no UTF-8";
  EXPECT_EQ(printable("photo_\u202egnp.exe \u2066x\u2069 \u200f\u2028\u061c"),
            "photo_\\u202egnp.exe \\u2066x\\u2069 \\u200f\\u2028\\u061c");
  EXPECT_EQ(printable(std::string_view{"\0", 1}), "\\x00");
  EXPECT_EQ(printable("Ünï → 写真 😀 שלום"), "Ünï → 写真 😀 שלום");
}

TEST(Printable, LinesOfASentenceAreSeenToBelongToIt) {
  EXPECT_EQ(printable_lines("a\nerror: b\n  c\td\x1b[31m"), "a\n  error: b\n  c\td\\x1b[31m");
  EXPECT_EQ(printable_lines("a\n"), "a\n");
  EXPECT_EQ(printable_lines("a\n\n b"), "a\n  \n   b");
  EXPECT_EQ(printable_paragraph("+ a\n- b\x9b"), "+ a\n- b\\x9b");
}

TEST(Printable, WhatIsBlankedStaysInItsPlace) { EXPECT_EQ(blanked("k\x1b[1m: \u202e写\xff!"), "k [1m:    写 !"); }

TEST(Fault, NamesAreStableAndOnlyBytesAreBadInput) {
  EXPECT_EQ(name(Fault::truncated), "truncated");
  EXPECT_TRUE(is_bad_input(Fault::truncated));
  EXPECT_FALSE(is_bad_input(Fault::does_not_fit));
  EXPECT_FALSE(is_bad_input(Fault::none));
  EXPECT_TRUE(is_final(Fault::truncated));
  EXPECT_FALSE(is_final(Fault::unreadable)) << "a mount may be away for a while";
  EXPECT_FALSE(is_final(Fault::does_not_fit));
}

TEST(Expect, EndsTheProcessWithThePlace) { EXPECT_DEATH(expect(false, "one is two"), "base_test.cpp.*one is two"); }

}  // namespace
}  // namespace pantile
