#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/hash.hpp"
#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

// 24×19 pixels, 4:2:0, written by Pillow: once baseline, once progressive. Both hold the same coefficients.
constexpr std::string_view baseline_hex =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e2931302e"
    "292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e0e131113261515264f352d354f4f4f4f"
    "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc00011080013001803"
    "012200021101031101ffc4001800010101010100000000000000000000000004050601ffc4001f1000010304030100000000000000000000"
    "000412410203138101212214ffc4001801000203000000000000000000000000000406010307ffc400281100000403060701000000000000"
    "000000000111120204810305132131a1243441426282b1b2ffda000c03010002110311003f00e42ca1c10e768baca1c10e768d7b287e7873"
    "b45f650e0873b4136936cf16d58bfa76c28929e54cc645943f3c39da074d650e0873b40062bc704d989869da8e4af55d760cf633ab0aea3c"
    "41453ebae20bd0514faeb88000ec4f97f719bca19e741720a29f5d7100026ef3e1a1afd30cb019a0ffd9";
constexpr std::string_view progressive_hex =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e2931302e"
    "292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e0e131113261515264f352d354f4f4f4f"
    "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc20011080013001803"
    "012200021101031101ffc4001800010003010000000000000000000000000003040501ffc400170101010101000000000000000000000000"
    "03050106ffda000c03010002100310000001c79ee4e8751a60a9cb00f3738da5ffc400181000030101000000000000000000000000000102"
    "1112ffda000801010001050251828c147228e451828c20820fffc4001811010100030000000000000000000000000003010221ffda000801"
    "0301013f018dda5b8930ffc40022110000040407000000000000000000000000011112020304612131334381a1d1ffda0008010201013f01"
    "8a6a593af541d4330736d98836f914fa643fffc40014100100000000000000000000000000000030ffda0008010100063f021fffc4001810"
    "000301010000000000000000000000000001117121ffda0008010100013f21df4df4dd4dd4df4df455d157455d3fffda000c030100020003"
    "00000010dc2881ffc400191100030101010000000000000000000000000111213181ffda0008010301013f10b4d2b5d1def83b87ffc4001f"
    "11000200050500000000000000000000000001112141a1f031516181b1ffda0008010201013f10c639f0e08aa4d927758eb6185af7acffc4"
    "00181000030101000000000000000000000000004151a101ffda0008010100013f1087021c083020c087021c059c42ce216711ffd9";

TEST(Jpeg, PixelsAreThoseOfLibjpegTurbosAccurateTransform) {
  for (const std::string_view hex : {baseline_hex, progressive_hex}) {
    const auto image = decode(samples::from_hex(hex));
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_EQ(image.value().extent(), (Extent{19, 24}));
    EXPECT_EQ(image.value().channels(), 3);
    EXPECT_EQ(xxh3_64(std::as_bytes(std::span{image.value().view().data, image.value().view().bytes()})),
              0x5b28cebd1ab54c43U)
        << "numpy.asarray(PIL.Image.open(…)) of Pillow 13, xxh3_64";
  }
}

TEST(Jpeg, GreyStaysGrey) {
  const auto image = decode(samples::file_of(samples::picture({20, 30}, 1, Depth::u8), samples::Jpeg{}));
  ASSERT_TRUE(image) << image.failure().detail;
  EXPECT_EQ(image.value().channels(), 1);
}

Bytes cut(const Bytes& file, std::size_t at) { return {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at)}; }

TEST(Jpeg, OneThatEndsEarlySaysAfterHowManyWholeRows) {
  const Bytes file = samples::file_of(samples::picture({61, 48}, 1, Depth::u8), samples::Jpeg{.restart_rows = 1});
  for (int blocks = 1; blocks < 8; ++blocks) {
    const std::size_t end = samples::find_marker(file, 0xD0U + static_cast<unsigned>(blocks - 1)) + 2;
    const auto image = decode(cut(file, end + 3));
    ASSERT_FALSE(image);
    EXPECT_EQ(image.failure(),
              (Failure{Fault::truncated, "JPEG ends after " + std::to_string(8 * blocks) + " of 61 rows"}));
  }
}

TEST(Jpeg, AnEndMarkerDoesNotHideThatRowsAreMissing) {
  const Bytes file = samples::file_of(samples::picture({61, 48}, 3, Depth::u8), samples::Jpeg{});
  const auto image = decode(samples::joined({cut(file, file.size() / 2), samples::from_hex("ffd9")}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::truncated);
  EXPECT_THAT(image.failure().detail, MatchesRegex("JPEG ends after [0-9]+ of 61 rows"));
}

TEST(Jpeg, AProgressiveOneThatEndsEarlySaysInWhichScan) {
  const Bytes file = samples::file_of(samples::picture({61, 48}, 3, Depth::u8), samples::Jpeg{.progressive = true});
  const auto image = decode(cut(file, file.size() / 2));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::truncated);
  EXPECT_THAT(image.failure().detail, MatchesRegex("JPEG ends in scan [0-9]+, after [0-9]+ of 61 rows"));
}

TEST(Jpeg, OneWithoutItsEndMarkerIsTruncated) {
  const Bytes file = samples::file_of(samples::picture({61, 48}, 3, Depth::u8), samples::Jpeg{});
  const auto image = decode(cut(file, file.size() - 2));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure(), (Failure{Fault::truncated, "JPEG has data for its 61 rows, but no end marker"}));
}

TEST(Jpeg, AComponentWithoutDataIsAnError) {
  const Bytes file =
      samples::file_of(samples::picture({16, 16}, 3, Depth::u8), samples::Jpeg{.one_scan_per_component = true});
  ASSERT_TRUE(decode(file));
  // libjpeg by itself would make the missing colour grey, without a warning.
  const auto image =
      decode(samples::joined({cut(file, samples::find_marker(file, 0xDA, 2)), samples::from_hex("ffd9")}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure(), (Failure{Fault::truncated, "JPEG has no data for one of its colour components"}));
}

TEST(Jpeg, DataThatWasNotUnderstoodIsAnError) {
  const Bytes file = samples::file_of(samples::picture({16, 16}, 3, Depth::u8), samples::Jpeg{});
  const Bytes end =
      samples::joined({samples::bytes_of("more than the decoder reads ahead"), samples::from_hex("ffd9")});
  const auto image = decode(samples::joined({cut(file, file.size() - 2), end}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
  EXPECT_THAT(image.failure().detail, HasSubstr("extraneous bytes"));
}

TEST(Jpeg, BytesThatBelongToNoPixelDoNotMatter) {
  const Bytes file = samples::file_of(samples::picture({16, 16}, 3, Depth::u8), samples::Jpeg{});
  const auto expected = decode(file);
  ASSERT_TRUE(expected);
  Bytes strange_version = file;
  strange_version[11] = std::byte{7};  // Major version of JFIF.
  for (const Bytes& same : {samples::with_segment(file, samples::bytes_of({"\xFF\xFE\0\2junk", 8})), strange_version,
                            samples::joined({file, samples::bytes_of("a second image, or none")})}) {
    const auto image = decode(same);
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected.value()));
  }
}

TEST(Jpeg, AWrongRestartMarkerIsAnError) {
  Bytes file = samples::file_of(samples::picture({64, 48}, 1, Depth::u8), samples::Jpeg{.restart_rows = 1});
  file[samples::find_marker(file, 0xD3) + 1] = std::byte{0xD6};
  const auto image = decode(file);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
}

TEST(Jpeg, MoreScansThanAllowedAreABomb) {
  const Bytes file = samples::file_of(samples::picture({16, 16}, 3, Depth::u8), samples::Jpeg{.progressive = true});
  EXPECT_TRUE(decode(file, {.max_scans = 10}));
  const auto image = decode(file, {.max_scans = 9});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure(), (Failure{Fault::too_large, "JPEG has more than 9 scans: a decompression bomb?"}));
}

}  // namespace
}  // namespace pantile
