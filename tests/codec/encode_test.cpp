#include "codec/encode.hpp"

#include <gtest/gtest.h>

#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

TEST(EncodePng, ComesBackPixelForPixel) {
  for (int channels = 1; channels <= 4; ++channels) {
    for (const Depth depth : {Depth::u8, Depth::u16}) {
      for (const int level : {0, 1, 6, 9}) {
        const Image picture = samples::picture({37, 53}, channels, depth);
        const auto image = decode(encode_png(picture.view(), level));
        ASSERT_TRUE(image) << image.failure().detail;
        EXPECT_TRUE(samples::same_pixels(image.value(), picture)) << channels << " channels, level " << level;
      }
    }
  }
}

TEST(EncodePng, TakesAStripOfAMillionColumns) {
  const Image picture = samples::picture({1, 1'200'000}, 1, Depth::u8);
  const Bytes file = encode_png(picture.view(), 1);
  const auto image = decode(file, {.max_side_px = 2'000'000});
  ASSERT_TRUE(image) << image.failure().detail;
  EXPECT_TRUE(samples::same_pixels(image.value(), picture));
}

}  // namespace
}  // namespace pantile
