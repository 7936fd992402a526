// Third-party files, which are not in this tree: PANTILE_TEST_DATA names the folder that has them. The hashes are ours.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "codec/decode.hpp"
#include "codec/endings.hpp"

namespace pantile {
namespace {

std::filesystem::path images() {
  const char* const folder = std::getenv("PANTILE_TEST_DATA");
  return std::filesystem::path{folder != nullptr ? folder : PANTILE_TEST_DATA_DEFAULT} / "images";
}

struct Decoded {
  const char* file;
  std::uint64_t xxh3;
};

// xxh3_64 of the pixels as Pillow 13 gives them (exif_transpose; palettes and CMYK as RGB or RGBA), and OpenCV 5 those
// of 16 bits and of paris.png, whose EXIF Pillow refuses. Of the two PNGs in corrupt/ Pillow saw all but the texts.
// Every file is equal to the last bit, lossy formats too: a table of tolerances is not needed.
constexpr std::array decoded_files = std::to_array<Decoded>({
    {"art/blackjack-manga.png", 0x477ec0afc5221c3bU},
    {"art/caravaggio.jpg", 0x77f9295776e7da5eU},
    {"art/cloud-sprite.png", 0x8e2619b3d86bb9aaU},
    {"art/diagram-4k.png", 0x2bb300c0d545f4c2U},
    {"art/horse.png", 0xeae6d06d63c0f33bU},
    {"art/inktober-revoy.jpg", 0xe51219b431f776c5U},
    {"art/line-map.png", 0x611cd02e476c8533U},
    {"art/octopussy-river.jpg", 0x0518f590386d7941U},
    {"art/pepper-e17-p01.png", 0x4c7f667e718a6d3cU},
    {"art/pepper-e17-p03.png", 0x2cf1e045dcd137daU},
    {"art/pepper-e17-p04.png", 0x9a05d3555f04beedU},
    {"art/pepper-e17-p06.png", 0x3bdd4dac85661be7U},
    {"art/pepper-sprite.png", 0xc6cc32a12eac6025U},
    {"art/screenshot-text.png", 0xbf1b64fcc3701006U},
    {"art/sketch-page.png", 0x68545bd07a1b3166U},
    {"art/sprite-sheet.png", 0x6d1c457b1f6490c0U},
    {"corrupt/exif-typeerror.jpg", 0xa67eb9c3d2d849f4U},
    {"corrupt/junk-header.jpg", 0x8344b5787821ea25U},
    {"corrupt/text-bomb.png", 0xc44bdff4074eecdbU},
    {"corrupt/truncated-app14.jpg", 0x0255a6333dfb80beU},
    {"corrupt/unknown-compression.png", 0x8ab4684245e0e1fdU},
    {"formats/alpha.webp", 0xada2c37a43831570U},
    {"formats/animated.gif", 0x00788168a23197daU},
    {"formats/bilevel-g4.tif", 0x842e1f5bc4e52493U},
    {"formats/bird-rgba.png", 0x514f2136125a03a4U},
    {"formats/bug-rgba.png", 0x31fb7b5fe792c0d3U},
    {"formats/cmyk.jpg", 0x84408b018df37971U},
    {"formats/cmyk.tif", 0xc4616eda8a37aac1U},
    {"formats/exif-landscape-1.jpg", 0xfc30ac3bf8f38668U},
    {"formats/exif-landscape-3.jpg", 0xf7e4e54fabc24448U},
    {"formats/exif-landscape-5.jpg", 0x16e61cf261bc2c6dU},
    {"formats/exif-landscape-6.jpg", 0xd0395d5723b0e271U},
    {"formats/exif-portrait-2.jpg", 0x7fe4472fd403e05fU},
    {"formats/exif-portrait-8.jpg", 0x1e835628dee76a14U},
    {"formats/exif6.webp", 0xe4bc22f416f66784U},
    {"formats/grey-alpha.png", 0x074bde36d1cb6e8bU},
    {"formats/grey-gamma.png", 0x8afb70ed6dda976bU},
    {"formats/grey.jpg", 0x4216aa42b6038ab7U},
    {"formats/grey16.tif", 0x89e84fbea2cafe91U},
    {"formats/hdr-room-16.png", 0x92c531c344e206f8U},
    {"formats/icc-big.jpg", 0x039e91a24f3c79a9U},
    {"formats/lossless-wide.webp", 0x96ee82cac5461e5cU},
    {"formats/lossy.webp", 0x42194ba70e2f4205U},
    {"formats/palette-4k.png", 0xa2e320a65d1f6c84U},
    {"formats/progressive.jpg", 0x3dd522a253518f75U},
    {"formats/restart.jpg", 0x023235c2462e8d7eU},
    {"formats/rgb-deflate.tif", 0xdc0b18c478afe95dU},
    {"formats/rgb24.bmp", 0xc804a1804a079506U},
    {"formats/rgba.png", 0xa7de2048acc7a59fU},
    {"formats/sub440.jpg", 0xfd888a0b911030f9U},
    {"formats/suite-basi6a08.png", 0x3df039b96bafd2aaU},
    {"formats/suite-basn0g01.png", 0xac920a4789d981c0U},
    {"formats/suite-basn0g16.png", 0x6beed43aefb54693U},
    {"formats/suite-basn2c16.png", 0x27c82d093f2f44aaU},
    {"formats/suite-basn3p04.png", 0xff2341991c77102bU},
    {"formats/suite-basn4a16.png", 0xb3bc7c160ea03ccfU},
    {"formats/suite-basn6a16.png", 0x2379783aa9877ea9U},
    {"formats/suite-g03n2c08.png", 0x30d8b0705b0b5287U},
    {"formats/suite-oi9n2c16.png", 0x27c82d093f2f44aaU},
    {"formats/suite-s01n3p01.png", 0x75cdc4c0bec88964U},
    {"formats/suite-s39i3p04.png", 0x00e65c9988767a76U},
    {"formats/suite-tbbn3p08.png", 0x801dac5ae052823fU},
    {"formats/suite-z09n2c08.png", 0x95326d5d5afc8d36U},
    {"formats/tiny-orig.jpg", 0x5b9e34ef9a52bf13U},
    {"formats/tiny-palette.png", 0x87b782ff6c9dc1f6U},
    {"formats/weld-16.png", 0x8a527f0ea6de4026U},
    {"photo/astronaut.png", 0x64ebd9516c6d0b8fU},
    {"photo/brick.png", 0x9dd5265aad0786d8U},
    {"photo/camera.png", 0x5ce63e8bb58add1aU},
    {"photo/chelsea.png", 0xa011860d28c4d99eU},
    {"photo/coins.png", 0xa2aa91cd7bb692a8U},
    {"photo/dog-12mp-exif6.jpg", 0x60a991339631536eU},
    {"photo/earth.jpg", 0x8702a7bee914848eU},
    {"photo/flower-480.jpg", 0x476654bc5459e8a7U},
    {"photo/flower.jpg", 0x6fea90135ecec041U},
    {"photo/hopper.jpg", 0x203094f1d39c1f0fU},
    {"photo/hubble.jpg", 0x47525d713dfc65aaU},
    {"photo/kodim02.png", 0x56a531b3c33ec44eU},
    {"photo/kodim07.png", 0x39fb41c7a6908fa5U},
    {"photo/kodim17.png", 0x4d7e4fd2c46fa7c0U},
    {"photo/leaf.jpg", 0xdfdf5e9fee8242dfU},
    {"photo/paris.png", 0xbe925d78d2682f6eU},
    {"photo/red-panda-10mp.jpg", 0x48687457b61b4adbU},
    {"photo/rocket.jpg", 0x73f85c1c93f236a0U},
    {"photo/text.png", 0x0b57df2a492c5847U},
    {"photo/wesat-64.png", 0x4ef4caa70b299e6fU},
    {"photo/wesat-a.png", 0x4b66bf3e4d61600cU},
    {"photo/wesat-b.png", 0x3786ad1ae329b6e2U},
});

TEST(RealImages, DecodeToThePixelsThatOtherDecodersGive) {
  if (!std::filesystem::exists(images())) {
    GTEST_SKIP() << "no images at " << images() << ": set PANTILE_TEST_DATA";
  }
  for (const auto& [file, hash] : decoded_files) {
    const auto image = decode(read_file(images() / file));
    ASSERT_TRUE(image) << file << ": " << image.failure().detail;
    EXPECT_EQ(xxh3_64({image.value().view().data, image.value().view().bytes()}), hash) << file;
  }
}

struct Refused {
  const char* file;
  Fault fault;
  const char* reason;  ///< a part of it
};

constexpr std::array refused_files = std::to_array<Refused>({
    {"corrupt/afl-a.jpg", Fault::corrupt, "JPEG is damaged after 0 of 48 rows (Corrupt JPEG data"},
    {"corrupt/afl-b.jpg", Fault::corrupt, "JPEG has a segment without a length"},
    {"corrupt/afl-c.jpg", Fault::corrupt, "JPEG has a segment without a length"},
    {"corrupt/afl-d.jpg", Fault::truncated, "the file ends inside its header, after 12363 bytes"},
    {"corrupt/bad-header.jpg", Fault::truncated, "the file ends inside its header, after 1024 bytes"},
    {"corrupt/bomb-280mp-grey.jpg", Fault::too_large, "14000×20000 pixels, 280 million; the limit is 268 million"},
    {"corrupt/bomb.gif", Fault::too_large, "the image is 66601×65535 pixels"},
    {"corrupt/broken-stream.png", Fault::corrupt, "PNG is damaged after 88 of 128 rows ("},
    {"corrupt/broken.png", Fault::corrupt, "PNG does not begin with an IHDR chunk"},
    {"corrupt/crash-0.tif", Fault::truncated, "TIFF ends after 0 of 360 rows"},
    {"corrupt/crash-1.tif", Fault::truncated, "TIFF ends after 0 of 225 rows"},
    {"corrupt/crash-2.tif", Fault::truncated, "TIFF ends after 0 of 225 rows"},
    {"corrupt/oom.tif", Fault::truncated, "the file ends inside its header, after 88 bytes"},
    {"corrupt/short.bmp", Fault::truncated, "BMP ends after 13 of 64 rows"},
    {"corrupt/suite-xc1n0g08.png", Fault::corrupt, "PNG has no colour type 1 with 8 bits"},
    {"corrupt/suite-xcrn0g04.png", Fault::not_an_image, "does not begin like an image"},
    {"corrupt/suite-xcsn0g01.png", Fault::corrupt, "PNG is damaged after 31 of 32 rows (IDAT: CRC error)"},
    {"corrupt/suite-xd0n2c08.png", Fault::corrupt, "PNG has no colour type 2 with 0 bits"},
    {"corrupt/suite-xdtn0g01.png", Fault::corrupt, "PNG has no pixel data"},
    {"corrupt/suite-xlfn0g04.png", Fault::not_an_image, "does not begin like an image"},
    {"corrupt/suite-xs1n0g01.png", Fault::not_an_image, "does not begin like an image"},
    {"corrupt/truncated-6mp.jpg", Fault::truncated, "JPEG ends after 32 of 2225 rows"},
    {"corrupt/truncated-jpeg.jpg", Fault::truncated, "JPEG has data for its 100 rows, but no end marker"},
    {"corrupt/truncated.png", Fault::truncated, "PNG ends after 20 of 240 rows"},
    {"corrupt/twelve-bit.jpg", Fault::unsupported, "JPEG with 12 bits a sample"},
});

TEST(RealImages, BadOnesAreRefusedForTheRightReason) {
  if (!std::filesystem::exists(images())) {
    GTEST_SKIP() << "no images at " << images() << ": set PANTILE_TEST_DATA";
  }
  for (const auto& [file, fault, reason] : refused_files) {
    const auto image = decode(read_file(images() / file));
    ASSERT_FALSE(image) << file;
    EXPECT_EQ(name(image.failure().fault), name(fault)) << file << ": " << image.failure().detail;
    EXPECT_THAT(image.failure().detail, testing::HasSubstr(reason)) << file;
  }
}

TEST(RealImages, AreAllInOneOfTheTwoTables) {
  if (!std::filesystem::exists(images())) {
    GTEST_SKIP() << "no images at " << images() << ": set PANTILE_TEST_DATA";
  }
  std::set<std::string> known;
  for (const auto& row : decoded_files) {
    EXPECT_TRUE(known.insert(row.file).second) << row.file;
  }
  for (const auto& row : refused_files) {
    EXPECT_TRUE(known.insert(row.file).second) << row.file;
  }
  std::set<std::string> there;
  for (const char* const folder : {"photo", "art", "formats", "corrupt"}) {
    for (const auto& entry : std::filesystem::directory_iterator{images() / folder}) {
      there.insert(folder + ("/" + entry.path().filename().string()));
    }
  }
  EXPECT_EQ(known, there);
}

TEST(RealImages, EndLikeImages) {
  for (const auto& [file, hash] : decoded_files) {
    const std::string ending = std::filesystem::path{file}.extension().string().substr(1);
    EXPECT_NE(std::find(image_endings.begin(), image_endings.end(), ending), image_endings.end()) << file;
  }
}

}  // namespace
}  // namespace pantile
