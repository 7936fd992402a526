#include "codec/decode.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "codec/row_reader.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

constexpr ImageHeader header_of(Extent extent, int channels, int bits = 8) {
  return {.format = ImageFormat::png, .stored = extent, .oriented = extent, .channels = channels, .bits = bits};
}

/// Of a kind that can only be decoded whole.
constexpr ImageHeader interlaced(Extent extent, int channels, int bits = 8) {
  ImageHeader header = header_of(extent, channels, bits);
  header.interlaced = true;
  return header;
}

TEST(Gate, LetsOrdinaryImagesThrough) {
  EXPECT_EQ(refusal(header_of({4032, 3024}, 3), 3'296'423, {}), std::nullopt);
  EXPECT_EQ(refusal(header_of({16384, 16384}, 3), 100'000'000, {}), std::nullopt);
}

TEST(Gate, RefusesWhatIsTooLargeBeforeAnyDecode) {
  const auto fault = [](const ImageHeader& header, std::uint64_t file_bytes) {
    const auto refused = refusal(header, file_bytes, {});
    return refused ? refused->fault : Fault::none;
  };
  EXPECT_EQ(fault(interlaced({16385, 16384}, 1), 100'000'000), Fault::too_large) << "pixels";
  EXPECT_EQ(fault(interlaced({1, 65'501}, 1), 1'000), Fault::too_large) << "side";
  EXPECT_EQ(fault(interlaced({16384, 16384}, 3, 16), 100'000'000), Fault::too_large) << "decoded bytes";
  EXPECT_EQ(fault(interlaced({100, 100}, 3), std::uint64_t{257} << 20U), Fault::too_large) << "file";
}

TEST(Gate, RefusesBombsByTheirRatioAndSparesSmallImages) {
  EXPECT_EQ(refusal(header_of({8000, 8000}, 3), 1'000, {}), std::nullopt) << "64 MP of one colour is a small harm";
  const auto refused = refusal(header_of({8001, 8000}, 1), 63'000, {});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->detail, "the image is 1016 times as large as its file, the limit is 1000: a decompression bomb?");
  EXPECT_EQ(refusal(header_of({8001, 8000}, 1), 65'000, {}), std::nullopt);
}

TEST(Gate, RefusesASmallImageInAHugeTile) {
  ImageHeader header = header_of({16, 16}, 3);
  header.format = ImageFormat::tiff;
  header.samples = 3;
  for (const int side : {8'192, 65'536, 0x7FFFFFFF}) {
    header.tile = {side, side};
    const std::string text = "the image of 16×16 pixels is coded in tiles or strips of " + to_string(header.tile) +
                             ", each of which must be decoded as one; the limit for this image is 64.0 MiB";
    EXPECT_EQ(refusal(header, 1'000, {}), (Failure{Fault::too_large, text}));
    EXPECT_EQ(refusal_of_whole(header, 1'000, {}), (Failure{Fault::too_large, text}));
  }
  header.tile = {4'096, 4'096};
  EXPECT_EQ(refusal(header, 1'000, {}), std::nullopt) << "48 MiB";
  // By region too.
  header = header_of({9'000, 9'000}, 3);
  header.format = ImageFormat::tiff;
  header.samples = 3;
  header.tile = {4'096, 4'096};
  EXPECT_EQ(refusal(header, 10'000'000, {}), std::nullopt);
  const auto refused = refusal(header, 10'000'000, {.max_decoded_bytes = 40'000'000});
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->detail.find("strips of 4096×4096"), std::string::npos) << refused->detail;
}

TEST(Gate, LetsHugeImagesThroughWhoseRegionsCanBeRead) {
  ImageHeader slide = header_of({60'000, 60'000}, 3);
  slide.format = ImageFormat::tiff;
  slide.tile = {256, 256};
  const std::uint64_t file_bytes = std::uint64_t{2} << 30U;
  EXPECT_TRUE(reads_regions(slide));
  EXPECT_EQ(refusal(slide, file_bytes, {}), std::nullopt);
  ASSERT_TRUE(refusal_of_whole(slide, file_bytes, {})) << "decode() has only whole images";
  EXPECT_EQ(refusal(slide, 100'000, {})->detail.substr(0, 12), "the image is") << "a bomb stays one";
  slide.stored = {70'000, 70'000};
  EXPECT_EQ(refusal(slide, file_bytes, {})->detail,
            "the image is 70000×70000 pixels, 4900 million; the limit is 4295 million");
  // One strip for all, tiles of absurd size, another format, a header without these facts.
  for (const auto& [tile, format] : {std::pair{Extent{70'000, 70'000}, ImageFormat::tiff},
                                     {Extent{16'384, 16'384}, ImageFormat::tiff},
                                     {Extent{256, 256}, ImageFormat::webp},
                                     {Extent{}, ImageFormat::tiff}}) {
    slide.tile = tile;
    slide.format = format;
    EXPECT_FALSE(reads_regions(slide));
    EXPECT_TRUE(refusal(slide, 100'000'000, {}));
  }
}

TEST(Gate, LetsHugeImagesThroughWhoseRowsComeInOrder) {
  const std::uint64_t file_bytes = std::uint64_t{2} << 30U;
  ImageHeader poster = header_of({60'000, 60'000}, 3);
  for (const ImageFormat format : {ImageFormat::png, ImageFormat::jpeg}) {
    poster.format = format;
    EXPECT_TRUE(reads_rows(poster));
    EXPECT_EQ(refusal(poster, file_bytes, {}), std::nullopt);
    EXPECT_TRUE(refusal_of_whole(poster, file_bytes, {})) << "decode() has only whole images";
    EXPECT_TRUE(refusal(poster, 100'000, {})) << "a bomb stays one";
  }
  for (const auto spoil :
       {+[](ImageHeader& header) { header.progressive = true; }, +[](ImageHeader& header) { header.orientation = 3; },
        +[](ImageHeader& header) { header.format = ImageFormat::webp; }}) {
    ImageHeader other = poster;
    spoil(other);
    EXPECT_FALSE(reads_rows(other));
    EXPECT_TRUE(refusal(other, file_bytes, {}));
  }
}

TEST(Gate, EachLimitIsTheCallers) {
  const ImageHeader header = interlaced({100, 100}, 3);
  EXPECT_EQ(refusal(header, 1'000, {}), std::nullopt);
  EXPECT_TRUE(refusal(header, 1'000, {.max_file_bytes = 999}));
  EXPECT_TRUE(refusal(header, 1'000, {.max_pixels = 9'999}));
  EXPECT_TRUE(refusal(header, 1'000, {.max_ratio = 29, .ratio_free_pixels = 0}));
  EXPECT_FALSE(refusal(header, 1'000, {.max_ratio = 30, .ratio_free_pixels = 0}));
}

TEST(Gate, AFileThatIsReadInPartsHasALimitOfItsOwn) {
  ImageHeader header = interlaced({100, 100}, 3);
  header.interlaced = false;
  EXPECT_FALSE(refusal(header, 1'000, {.max_file_bytes = 999}));
  EXPECT_TRUE(refusal(header, 1'000, {.max_file_bytes = 999, .max_region_file_bytes = 999}));
}

TEST(Decode, LooksAtTheGateFirst) {
  // 900 MP claimed by 60 bytes: decoded, they would be an error only after gigabytes.
  Bytes file = samples::file_of(samples::Png{.extent = {1, 1}, .sample = [](int, int, int) { return 0U; }});
  const Bytes claim = samples::from_hex("00007530000075300800000000");
  const Bytes ihdr = samples::png_chunk("IHDR", claim);
  std::copy(ihdr.begin(), ihdr.end(), file.begin() + 8);
  const auto image = decode(file);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure(),
            (Failure{Fault::too_large, "the image is 30000×30000 pixels, 900 million; the limit is 268 million"}));
}

TEST(Decode, SaysThatATextIsNoImage) {
  EXPECT_EQ(decode(samples::bytes_of("hello")).failure().fault, Fault::not_an_image);
  EXPECT_EQ(decode({}).failure().fault, Fault::not_an_image);
}

}  // namespace
}  // namespace pantile
