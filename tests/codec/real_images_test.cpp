// Third-party files, which are not in this tree: PANTILE_TEST_DATA names the folder that has them. The hashes are ours.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "codec/decode.hpp"

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

// xxh3_64 of the pixels as Pillow 13 gives them (exif_transpose; palettes as RGB or RGBA), and OpenCV 5 those of 16
// bits and of paris.png, whose EXIF Pillow refuses.
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
    {"corrupt/truncated-app14.jpg", 0x0255a6333dfb80beU},
    {"formats/bird-rgba.png", 0x514f2136125a03a4U},
    {"formats/bug-rgba.png", 0x31fb7b5fe792c0d3U},
    {"formats/exif-landscape-1.jpg", 0xfc30ac3bf8f38668U},
    {"formats/exif-landscape-3.jpg", 0xf7e4e54fabc24448U},
    {"formats/exif-landscape-5.jpg", 0x16e61cf261bc2c6dU},
    {"formats/exif-landscape-6.jpg", 0xd0395d5723b0e271U},
    {"formats/exif-portrait-2.jpg", 0x7fe4472fd403e05fU},
    {"formats/exif-portrait-8.jpg", 0x1e835628dee76a14U},
    {"formats/grey-alpha.png", 0x074bde36d1cb6e8bU},
    {"formats/grey-gamma.png", 0x8afb70ed6dda976bU},
    {"formats/grey.jpg", 0x4216aa42b6038ab7U},
    {"formats/hdr-room-16.png", 0x92c531c344e206f8U},
    {"formats/icc-big.jpg", 0x039e91a24f3c79a9U},
    {"formats/palette-4k.png", 0xa2e320a65d1f6c84U},
    {"formats/progressive.jpg", 0x3dd522a253518f75U},
    {"formats/restart.jpg", 0x023235c2462e8d7eU},
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
};

constexpr std::array refused_files = std::to_array<Refused>({
    {"corrupt/afl-a.jpg", Fault::corrupt},
    {"corrupt/afl-b.jpg", Fault::corrupt},
    {"corrupt/afl-c.jpg", Fault::corrupt},
    {"corrupt/afl-d.jpg", Fault::truncated},
    {"corrupt/bad-header.jpg", Fault::truncated},
    {"corrupt/bomb-280mp-grey.jpg", Fault::too_large},
    {"corrupt/broken-stream.png", Fault::corrupt},
    {"corrupt/broken.png", Fault::corrupt},
    {"corrupt/suite-xc1n0g08.png", Fault::corrupt},
    {"corrupt/suite-xcrn0g04.png", Fault::not_an_image},
    {"corrupt/suite-xcsn0g01.png", Fault::corrupt},
    {"corrupt/suite-xd0n2c08.png", Fault::corrupt},
    {"corrupt/suite-xdtn0g01.png", Fault::corrupt},
    {"corrupt/suite-xlfn0g04.png", Fault::not_an_image},
    {"corrupt/suite-xs1n0g01.png", Fault::not_an_image},
    {"corrupt/truncated-6mp.jpg", Fault::truncated},
    {"corrupt/truncated-jpeg.jpg", Fault::truncated},
    {"corrupt/truncated.png", Fault::truncated},
    {"corrupt/twelve-bit.jpg", Fault::unsupported},
    {"formats/cmyk.jpg", Fault::unsupported},
    {"formats/rgb24.bmp", Fault::unsupported},
    {"formats/animated.gif", Fault::unsupported},
    {"formats/grey16.tif", Fault::unsupported},
    {"formats/lossy.webp", Fault::unsupported},
    {"corrupt/bomb.gif", Fault::unsupported},
    {"corrupt/oom.tif", Fault::unsupported},
    {"corrupt/crash-0.tif", Fault::unsupported},
    {"corrupt/short.bmp", Fault::unsupported},
});

TEST(RealImages, BadOnesAreRefusedForTheRightReason) {
  if (!std::filesystem::exists(images())) {
    GTEST_SKIP() << "no images at " << images() << ": set PANTILE_TEST_DATA";
  }
  for (const auto& [file, fault] : refused_files) {
    const auto image = decode(read_file(images() / file));
    ASSERT_FALSE(image) << file;
    EXPECT_EQ(name(image.failure().fault), name(fault)) << file << ": " << image.failure().detail;
  }
}

TEST(RealImages, HugeTextsDoNotKeepSmallPicturesFromBeingRead) {
  if (!std::filesystem::exists(images())) {
    GTEST_SKIP() << "no images at " << images() << ": set PANTILE_TEST_DATA";
  }
  EXPECT_TRUE(decode(read_file(images() / "corrupt/text-bomb.png")));
  EXPECT_TRUE(decode(read_file(images() / "corrupt/unknown-compression.png")));
}

}  // namespace
}  // namespace pantile
