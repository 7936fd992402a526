#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

std::uint32_t position(int y, int x, int channel) { return static_cast<std::uint32_t>(y * 3 + x + 1 + 10 * channel); }

/// First channel of each pixel, row by row.
std::string shown(const Image& image) {
  std::string text;
  for (int y = 0; y < image.extent().height; ++y) {
    for (int x = 0; x < image.extent().width; ++x) {
      const std::byte* const pixel = image.view().row(y) + static_cast<std::size_t>(x) * image.view().pixel_bytes();
      text += std::to_string(image.depth() == Depth::u8 ? std::to_integer<unsigned>(*pixel)
                                                        : *reinterpret_cast<const std::uint16_t*>(pixel));
    }
    text += '/';
  }
  return text;
}

TEST(Orientation, TurnsEveryKindOfPixelAsPillowDoes) {
  // ImageOps.exif_transpose of [[1, 2, 3], [4, 5, 6]].
  const std::vector<std::string> expected{"123/456/",  "321/654/",  "654/321/",  "456/123/",
                                          "14/25/36/", "41/52/63/", "63/52/41/", "36/25/14/"};
  for (const int colour : {0, 2, 4, 6}) {
    for (const int bits : {8, 16}) {
      for (unsigned orientation = 1; orientation <= 8; ++orientation) {
        const Bytes file =
            samples::file_of(samples::Png{.extent = {2, 3},
                                          .bits = bits,
                                          .colour = colour,
                                          .chunks = {samples::png_chunk("eXIf", samples::exif(orientation, true))},
                                          .sample = position});
        const auto image = decode(file);
        ASSERT_TRUE(image) << image.failure().detail;
        EXPECT_EQ(shown(image.value()), expected[orientation - 1]) << "colour " << colour << ", bits " << bits;
      }
    }
  }
}

TEST(Orientation, TurnsImagesLargerThanOneSquare) {
  const Extent extent{150, 201};
  const Image stored = samples::picture(extent, 3, Depth::u8);
  const Bytes file = samples::file_of(stored, samples::Jpeg{});
  const auto upright = decode(file);
  const auto turned = decode(samples::with_segment(file, samples::exif_segment(6)));
  ASSERT_TRUE(upright && turned);
  ASSERT_EQ(turned.value().extent(), (Extent{201, 150}));
  for (int y = 0; y < 201; ++y) {
    for (int x = 0; x < 150; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        ASSERT_EQ(turned.value().view().row(y)[x * 3 + channel], upright.value().view().row(149 - x)[y * 3 + channel]);
      }
    }
  }
}

}  // namespace
}  // namespace pantile
