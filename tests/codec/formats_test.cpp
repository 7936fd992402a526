// WebP, GIF, BMP, PNM, Sun raster and JPEG 2000: files made here, and what is wrong with them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <tuple>

#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using samples::bytes_of;
using samples::file_of;
using samples::joined;
using samples::picture;
using testing::HasSubstr;

Result<ImageHeader> probe_all(const Bytes& file) { return probe(file, file.size()); }

Bytes cut(const Bytes& file, std::size_t at) { return {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at)}; }

bool opencv_is_open() {
  std::ifstream file{"/proc/self/maps"};
  return std::string{std::istreambuf_iterator<char>{file}, {}}.find("libopencv_imgcodecs") != std::string::npos;
}

/// No pixel is wholly transparent: libwebp's encoder throws the colours of such pixels away.
Image opaque_picture(int channels) {
  Image image = picture({37, 53}, channels, Depth::u8);
  for (std::byte& sample : image.bytes()) {
    sample |= std::byte{1};
  }
  return image;
}

TEST(Webp, LosslessPixelsAreExact) {
  for (const int channels : {3, 4}) {
    const Image expected = opaque_picture(channels);
    const Bytes file = file_of(expected, samples::Webp{.lossless = true});
    const auto image = decode(file);
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected));
    EXPECT_TRUE(probe_all(file).value().lossless);
  }
}

TEST(Webp, OrientationBehindThePictureIsApplied) {
  for (const bool lossless : {false, true}) {
    const Bytes file = file_of(picture({37, 53}, 3, Depth::u8), samples::Webp{.lossless = lossless, .orientation = 6});
    const auto header = probe_all(file);
    ASSERT_TRUE(header) << header.failure().detail;
    EXPECT_EQ(header.value().orientation, 6);
    EXPECT_EQ(header.value().oriented, (Extent{53, 37}));
    const auto image = decode(file);
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_EQ(image.value().extent(), (Extent{53, 37}));
  }
}

TEST(Webp, FirstPictureOfAnAnimationIsRead) {
  for (const int channels : {3, 4}) {
    const Image expected = opaque_picture(channels);
    const auto image = decode(file_of(expected, samples::Webp{.lossless = true, .frames = 3}));
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected));
  }
}

TEST(Webp, OneThatEndsEarlySaysSo) {
  const Bytes file = file_of(picture({37, 53}, 3, Depth::u8), samples::Webp{});
  EXPECT_EQ(decode(cut(file, 200)).failure(),
            (Failure{Fault::truncated, "WebP ends after 200 of " + std::to_string(file.size()) + " bytes"}));
}

TEST(Gif, FirstPictureLiesOnItsBackground) {
  for (const int transparent : {-1, 5}) {
    for (const bool interlaced : {false, true}) {
      const samples::Gif gif{
          .screen = {40, 50}, .place = {3, 4, 29, 31}, .transparent = transparent, .interlaced = interlaced};
      const auto image = decode(file_of(gif));
      ASSERT_TRUE(image) << image.failure().detail;
      ASSERT_EQ(image.value().channels(), transparent < 0 ? 3 : 4);
      for (int y = 0; y < 40; ++y) {
        for (int x = 0; x < 50; ++x) {
          const bool inside = y >= 3 && y < 32 && x >= 4 && x < 35;
          const int colour = inside ? samples::gif_colour(y - 3, x - 4) : std::max(transparent, 0);
          const std::byte* const pixel =
              image.value().view().row(y) + static_cast<std::size_t>(x * image.value().channels());
          ASSERT_EQ(std::to_integer<int>(pixel[0]), colour * 16) << y << ' ' << x;
          ASSERT_EQ(std::to_integer<int>(pixel[2]), colour * colour) << y << ' ' << x;
          if (transparent >= 0) {
            ASSERT_EQ(std::to_integer<int>(pixel[3]), colour == transparent ? 0 : 255) << y << ' ' << x;
          }
        }
      }
    }
  }
}

TEST(Gif, APixelWithoutAColourIsDamage) {
  Bytes file = file_of(samples::Gif{.screen = {8, 8}, .place = {0, 0, 8, 8}});
  // A colour table of 4 instead of 16: what was colours 4 to 15 goes.
  file[10] = std::byte{0xF1};
  file.erase(file.begin() + 13 + 12, file.begin() + 13 + 48);
  const auto image = decode(file);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
  EXPECT_THAT(image.failure().detail, HasSubstr("(a pixel has colour "));
}

TEST(Bmp, ComesThroughOpenCvWhichIsOpenedOnlyNow) {
  const bool before = opencv_is_open();  // By another test of this process.
  ASSERT_TRUE(decode(file_of(picture({8, 8}, 3, Depth::u8), samples::Tiff{})));
  ASSERT_TRUE(decode(file_of(picture({8, 8}, 3, Depth::u8), samples::Webp{})));
  ASSERT_EQ(opencv_is_open(), before) << "nothing else may need it";
  const Image expected = picture({37, 53}, 3, Depth::u8);
  for (const bool top_down : {false, true}) {
    const auto image = decode(file_of(expected, samples::Bmp{.top_down = top_down}));
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected));
  }
  EXPECT_TRUE(opencv_is_open());
}

TEST(Bmp, OneThatEndsEarlyIsRefusedBeforeOpenCvSeesIt) {
  const bool before = opencv_is_open();
  const Bytes file = file_of(picture({37, 53}, 3, Depth::u8), samples::Bmp{});
  EXPECT_EQ(decode(cut(file, file.size() - 1)).failure(), (Failure{Fault::truncated, "BMP ends after 36 of 37 rows"}));
  EXPECT_EQ(opencv_is_open(), before);
}

/// 4×2 pixels of 8 bits in runs; `runs` is what the rows say.
Bytes bmp_of_runs(const std::string& runs) {
  Bytes file = samples::from_hex(
      "424d00000000000000003e00000028000000040000000200000001000800010000000000000000000000000000000200000002000000"
      "0a141e00ffc88200");
  return joined({file, samples::from_hex(runs)});
}

TEST(Bmp, RunsMustReachTheEnd) {
  const auto image =
      decode(bmp_of_runs("0400"
                         "0000"
                         "0401"
                         "0000"
                         "0001"));
  ASSERT_TRUE(image) << image.failure().detail;
  EXPECT_EQ(std::to_integer<int>(image.value().view().row(0)[0]), 0x82);
  EXPECT_EQ(std::to_integer<int>(image.value().view().row(1)[0]), 0x1E);
  EXPECT_EQ(decode(bmp_of_runs("0400"
                               "0000"
                               "0401"))
                .failure(),
            (Failure{Fault::truncated, "BMP ends after 1 of 2 rows"}));
  EXPECT_EQ(decode(bmp_of_runs("0400"
                               "0000"
                               "0501"
                               "0000"
                               "0001"))
                .failure(),
            (Failure{Fault::corrupt, "BMP is damaged after 1 of 2 rows"}));
}

TEST(Imgcodecs, SaysWhatToDoWhereItIsMissing) {
  if (opencv_is_open()) {
    GTEST_SKIP() << "another test of this process has opened it";
  }
  const char* const named = std::getenv("PANTILE_IMGCODECS_LIB");
  ASSERT_NE(named, nullptr);
  const std::string before = named;
  ASSERT_EQ(::setenv("PANTILE_IMGCODECS_LIB", "/nonexistent/libpantile_imgcodecs.so", 1), 0);
  try {
    (void)decode(file_of(picture({8, 8}, 3, Depth::u8), samples::Bmp{}));
    FAIL() << "a broken machine is no bad item";
  } catch (const MissingModule& error) {
    EXPECT_THAT(error.what(), HasSubstr("Install OpenCV's imgcodecs"));
  }
  EXPECT_THROW((void)open_imgcodecs(), MissingModule);
  ASSERT_EQ(::setenv("PANTILE_IMGCODECS_LIB", before.c_str(), 1), 0);
  EXPECT_TRUE(decode(file_of(picture({8, 8}, 3, Depth::u8), samples::Bmp{}))) << "it is looked for again";
  EXPECT_EQ(open_imgcodecs(), before);
}

TEST(Pnm, SamplesAreScaledToTheirLargestValue) {
  const auto pixels = [](const Bytes& file) {
    const auto image = decode(file);
    EXPECT_TRUE(image) << image.failure().detail;
    std::vector<int> samples;
    for (std::size_t i = 0; image && i < image.value().view().bytes();
         i += static_cast<std::size_t>(image.value().depth())) {
      const std::byte* const at = image.value().view().data + i;
      samples.push_back(image.value().depth() == Depth::u8
                            ? std::to_integer<int>(*at)
                            : std::to_integer<int>(at[0]) + 256 * std::to_integer<int>(at[1]));
    }
    return samples;
  };
  using Samples = std::vector<int>;
  EXPECT_EQ(pixels(bytes_of({"P5 3 1 15\n\0\7\17", 13})), (Samples{0, 119, 255}));
  EXPECT_EQ(pixels(bytes_of({"P5 2 1 1023\n\3\377\0\0", 16})), (Samples{65'535, 0}));
  EXPECT_EQ(pixels(bytes_of("P2 # a comment\n2 1\n65535\n65535 1")), (Samples{65'535, 1}));
  EXPECT_EQ(pixels(bytes_of("P2 3 1 255\n0000255 000000000000000000001 0000000")), (Samples{255, 1, 0}));
  EXPECT_EQ(pixels(bytes_of("P1 3 1\n1 0#x\n1")), (Samples{0, 255, 0}));
  EXPECT_EQ(pixels(bytes_of({"P4 9 1\n\200\200", 9})), (Samples{0, 255, 255, 255, 255, 255, 255, 255, 0}));
  EXPECT_EQ(pixels(bytes_of("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\nA\x80")),
            (Samples{65, 128}));
}

TEST(Pnm, SaysWhatIsWrong) {
  const auto why = [](const std::string& text) { return decode(bytes_of(text)).failure(); };
  EXPECT_EQ(why("P5 3 2 255\nabcd"), (Failure{Fault::truncated, "PNM ends after 1 of 2 rows"}));
  EXPECT_EQ(why("P5 2 1 15\na\1"), (Failure{Fault::corrupt, "PNM is damaged after 0 of 1 rows"}));
  EXPECT_EQ(why("P2 2 2 9\n1 2 3 x 5"), (Failure{Fault::corrupt, "PNM is damaged after 1 of 2 rows"}));
  EXPECT_EQ(why("P2 2 2 9\n1 2 3     "), (Failure{Fault::truncated, "PNM ends after 1 of 2 rows"}));
  // Not 100000 and 255, nor what is left of it in 32 bits.
  EXPECT_EQ(why("P2 2 1 65535\n1000000255 1"), (Failure{Fault::corrupt, "PNM is damaged after 0 of 1 rows"}));
  EXPECT_EQ(why("P2 2 1 65535\n1 4294967297"), (Failure{Fault::corrupt, "PNM is damaged after 0 of 1 rows"}));
  EXPECT_EQ(why("P2 2000 2000 9\n1 2"), (Failure{Fault::truncated, "PNM ends after fewer than 2000 rows"}));
  EXPECT_EQ(why("P6 2 2 0\nx").fault, Fault::corrupt);
}

// 6×8 pixels, sample n of the file is 5 n mod 256; written by Pillow, lossless.
const Bytes jpeg2000 = samples::from_hex(
    "0000000c6a5020200d0a870a00000014667479706a703220000000006a7032200000002d6a7032680000001669686472000000060000000800"
    "03"
    "070700000000000f636f6c72010000000000100000011a6a703263ff4fff51002f000000000008000000060000000000000000000000080000"
    "000600000000000000000003070101070101070101ff52000c00000001000004040001ff5c00044040ff640025000143726561746564206279"
    "204f70656e4a5045472076657273696f6e20322e352e34ff90000a0000000000a20001ff93df8178122cbd0ba24fb7ac76a5240eedf7260135"
    "679eff1170df3982297121707dc9e02ff5ca710d34808a4d211d7979a5e7cfb4b8117abdc4eaaa6ae834930d035c6c2a85b8b7322304f90e5a"
    "46d6f8283c5e49b0a3483b0fcc4f76d9f42fdcbcd2f3cfb4b8117abdc53aa225d2f066cfec1ae6146194036a1e911e78d8019401c6281ff26d"
    "4460e105b3c9ccfb6639be6f1177ffd9");

const Bytes jpeg2000_cod = samples::from_hex("ff52000c");

TEST(Jpeg2000, LosslessPixelsAreExact) {
  const auto image = decode(jpeg2000);
  ASSERT_TRUE(image) << image.failure().detail;
  ASSERT_EQ(image.value().extent(), (Extent{6, 8}));
  for (std::size_t i = 0; i < image.value().view().bytes(); ++i) {
    ASSERT_EQ(std::to_integer<std::size_t>(image.value().view().data[i]), i * 5 % 256);
  }
}

TEST(Jpeg2000, OneThatEndsEarlyIsRefused) {
  EXPECT_EQ(decode(cut(jpeg2000, jpeg2000.size() - 60)).failure(),
            (Failure{Fault::truncated, "JPEG 2000 ends after 0 of 1 tiles"}));
  EXPECT_EQ(decode(cut(jpeg2000, jpeg2000.size() - 2)).failure(),
            (Failure{Fault::truncated, "JPEG 2000 ends after 1 of 1 tiles"}));
}

struct Part {
  int number;
  int of;
  std::size_t begin;  ///< of the tile's bytes
  std::size_t end;
};

/// The codestream of the file above, its one tile cut into such parts.
Bytes in_parts(std::initializer_list<Part> parts) {
  const auto find = [](const char* hex) {
    const Bytes mark = samples::from_hex(hex);
    return std::search(jpeg2000.begin(), jpeg2000.end(), mark.begin(), mark.end());
  };
  const auto start_of_part = find("ff90000a");
  Bytes file{find("ff4fff51"), start_of_part};
  const auto data = start_of_part + 14;
  for (const Part& part : parts) {
    const std::size_t length = 14 + part.end - part.begin;
    Bytes head = samples::from_hex(
        "ff90000a00000000000000"
        "00ff93");
    head[9] = static_cast<std::byte>(length);
    head[10] = static_cast<std::byte>(part.number);
    head[11] = static_cast<std::byte>(part.of);
    file = joined({file, head,
                   std::span{jpeg2000}.subspan(static_cast<std::size_t>(data - jpeg2000.begin()) + part.begin,
                                               part.end - part.begin)});
  }
  return joined({file, samples::from_hex("ffd9")});
}

TEST(Jpeg2000, AllPartsOfATileMustBeThere) {
  constexpr std::size_t all = 0xA2 - 14;
  const Image expected = std::move(decode(jpeg2000).value());
  // TNsot may be 0 in all parts but one, or in all.
  for (const auto& [first, second, third] : {std::tuple{3, 3, 3}, {3, 0, 0}, {0, 0, 3}, {0, 0, 0}}) {
    const auto image = decode(in_parts({{0, first, 0, 40}, {1, second, 40, 90}, {2, third, 90, all}}));
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected));
  }
  const Failure cut_off{Fault::truncated, "JPEG 2000 ends after 0 of 1 tiles"};
  EXPECT_EQ(decode(in_parts({{0, 2, 0, all}})).failure(), cut_off);
  EXPECT_EQ(decode(in_parts({{0, 3, 0, 40}, {1, 0, 40, 90}})).failure(), cut_off) << "the last one";
  EXPECT_EQ(decode(in_parts({{0, 3, 0, 40}, {2, 3, 90, all}})).failure(), cut_off) << "one in the middle";
  EXPECT_EQ(decode(in_parts({{1, 0, 40, 90}, {2, 3, 90, all}})).failure(), cut_off) << "the first";
  const Failure damaged{Fault::corrupt, "JPEG 2000 is damaged after 1 of 1 tiles"};
  EXPECT_EQ(decode(in_parts({{1, 2, 90, all}, {0, 2, 0, 90}})).failure(), damaged) << "the wrong way round";
  EXPECT_EQ(decode(in_parts({{0, 1, 0, 90}, {1, 1, 90, all}})).failure(), damaged) << "one too many";
}

TEST(Jpeg2000, WhatOpenCvSaysIsTheReasonAndNotPrinted) {
  Bytes file = jpeg2000;
  // Inside the segment COD: an order of progression that does not exist.
  const std::size_t cod = static_cast<std::size_t>(
      std::search(file.begin(), file.end(), jpeg2000_cod.begin(), jpeg2000_cod.end()) - file.begin());
  file[cod + 5] = std::byte{0x77};
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  const auto image = decode(file);
  EXPECT_EQ(testing::internal::GetCapturedStderr() + testing::internal::GetCapturedStdout(), "");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
  EXPECT_THAT(image.failure().detail, HasSubstr("damaged or incomplete (OpenCV: "));
}

TEST(Formats, OnesThatAreKnownButNotReadAreNamed) {
  const auto why = [](std::string_view text) { return probe_all(bytes_of(text)).failure(); };
  for (const auto& [magic, called] :
       std::initializer_list<std::pair<std::string, std::string>>{{std::string{"\0\0\0\x20"
                                                                               "ftypavif",
                                                                               12},
                                                                   "AVIF"},
                                                                  {std::string{"\0\0\0\x20"
                                                                               "ftypheic",
                                                                               12},
                                                                   "HEIF"},
                                                                  {"\x76\x2F\x31\x01....", "OpenEXR"},
                                                                  {"#?RADIANCE\n", "Radiance HDR"},
                                                                  {"8BPS....", "Photoshop PSD"},
                                                                  {"%PDF-1.7", "PDF"}}) {
    EXPECT_EQ(why(magic), (Failure{Fault::unsupported, called + " is not read by this version. Convert it to PNG"}));
  }
}

}  // namespace
}  // namespace pantile
