#include "image/pixels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "image/tile_grid.hpp"

namespace pantile {
namespace {

constexpr std::array<ChannelScaling, 3> unscaled{{{1.0, 0.0, 1.0}, {1.0, 0.0, 1.0}, {1.0, 0.0, 1.0}}};

InputTable plain_table(ColorMode mode) {
  return InputTable{std::span{unscaled}.first(static_cast<std::size_t>(channels_of(mode)))};
}

Image random_image(std::mt19937_64& random, Extent extent, int channels, Depth depth) {
  Image image{extent, channels, depth};
  for (std::byte& byte : image.bytes()) {
    byte = static_cast<std::byte>(random());
  }
  return image;
}

std::uint32_t sample(const ImageView& image, int y, int x, int channel) {
  const std::byte* const pixel = image.row(y) + static_cast<std::size_t>(x) * image.pixel_bytes();
  if (image.depth == Depth::u8) {
    return std::to_integer<std::uint32_t>(pixel[channel]);
  }
  return reinterpret_cast<const std::uint16_t*>(pixel)[channel];
}

TEST(OverWhite, IsTheNearestIntegerForEveryByteAndAlpha) {
  for (std::uint32_t alpha = 0; alpha < 256; ++alpha) {
    for (std::uint32_t value = 0; value < 256; ++value) {
      const double exact = (value * alpha + 255.0 * (255.0 - alpha)) / 255.0;
      ASSERT_EQ(over_white(value, alpha, 255), static_cast<std::uint32_t>(std::floor(exact + 0.5)))
          << value << " at " << alpha;
    }
  }
}

TEST(OverWhite, HasRoomForSixteenBits) {
  EXPECT_EQ(over_white(65535, 65535, 65535), 65535U);
  EXPECT_EQ(over_white(0, 65535, 65535), 0U);
  EXPECT_EQ(over_white(65535, 1, 65535), 65535U);
  EXPECT_EQ(over_white(0, 32768, 65535), 32767U);
}

TEST(OverWhite, LaysImagesWithAlphaAndLeavesOthersAlone) {
  std::mt19937_64 random{7};
  for (const Depth depth : {Depth::u8, Depth::u16}) {
    const std::uint32_t white = depth == Depth::u8 ? 255 : 65535;
    for (int channels = 1; channels <= 4; ++channels) {
      SCOPED_TRACE(channels);
      Image before = random_image(random, {5, 7}, channels, depth);
      Image after{before.extent(), channels, depth};
      std::copy(before.bytes().begin(), before.bytes().end(), after.bytes().begin());
      lay_over_white(after);
      for (int y = 0; y < 5; ++y) {
        for (int x = 0; x < 7; ++x) {
          for (int channel = 0; channel < channels; ++channel) {
            const std::uint32_t value = sample(before.view(), y, x, channel);
            const bool is_laid = channels % 2 == 0 && channel < channels - 1;
            const std::uint32_t alpha = sample(before.view(), y, x, channels - 1);
            EXPECT_EQ(sample(after.view(), y, x, channel), is_laid ? over_white(value, alpha, white) : value);
          }
        }
      }
    }
  }
}

TEST(InputTable, ScalesBytesToTheNearestFloatOfTheQuotient) {
  const std::array<ChannelScaling, 1> unit{{{1.0 / 255.0, 0.0, 1.0}}};
  const InputTable table{unit};
  for (int value = 0; value < 256; ++value) {
    EXPECT_EQ(table.u8(0)[value], static_cast<float>(value / 255.0)) << value;
  }
}

TEST(InputTable, NormalisesEachChannelInDoubleAndRoundsOnce) {
  const std::array<ChannelScaling, 3> imagenet{
      {{1.0 / 255.0, 0.485, 0.229}, {1.0 / 255.0, 0.456, 0.224}, {1.0 / 255.0, 0.406, 0.225}}};
  const InputTable table{imagenet};
  // numpy: ((v * (1/255) - mean) / std).astype(float32)
  EXPECT_EQ(table.u8(0)[0], -2.1179039478302001953125F);
  EXPECT_EQ(table.u8(1)[128], 0.20518207550048828125F);
  EXPECT_EQ(table.u8(2)[255], 2.6400001049041748046875F);
}

TEST(InputTable, PutsSixteenBitsOnTheScaleOfEight) {
  const InputTable table{std::span{unscaled}.first(1)};
  EXPECT_EQ(table.u16(0)[65535], 255.0F);
  EXPECT_EQ(table.u16(0)[257], 1.0F);
  EXPECT_EQ(table.u16(0)[1], static_cast<float>(1.0 / 257.0));
}

TEST(Luma, IsOpenCVs) {
  // cv2.cvtColor(…, COLOR_RGB2GRAY) of OpenCV 5.0, for uint8 and uint16; both formulas were compared on 4 million
  // pixels.
  EXPECT_EQ(luma(0, 0, 0), 0U);
  EXPECT_EQ(luma(255, 255, 255), 255U);
  EXPECT_EQ(luma(1, 2, 3), 2U);
  EXPECT_EQ(luma(255, 0, 0), 76U);
  EXPECT_EQ(luma(0, 255, 0), 150U);
  EXPECT_EQ(luma(0, 0, 255), 29U);
  EXPECT_EQ(luma(12, 200, 77), 130U);
  EXPECT_EQ(luma(254, 255, 1), 226U);
  EXPECT_EQ(luma(0, 12, 4), 8U) << "a half is rounded up";
  EXPECT_EQ(luma(65535, 65535, 65535), 65535U);
  EXPECT_EQ(luma(65535, 0, 0), 19596U);
  EXPECT_EQ(luma(0, 65535, 0), 38469U);
  EXPECT_EQ(luma(0, 0, 65535), 7470U);
  EXPECT_EQ(luma(1200, 20000, 777), 12187U);
  EXPECT_EQ(luma(128, 127, 40126), 4687U);
}

TEST(BorderIndex, ReplicatesOrReflectsWithoutRepeatingTheEdge) {
  const auto row = [](Border border, int size) {
    std::string text;
    for (int at = -5; at < size + 5; ++at) {
      text += static_cast<char>('a' + border_index(at, size, border));
    }
    return text;
  };
  EXPECT_EQ(row(Border::replicate, 4), "aaaaaabcdddddd");
  EXPECT_EQ(row(Border::reflect, 4), "bcdcbabcdcbabc");
  EXPECT_EQ(row(Border::reflect, 2), "babababababa");
  EXPECT_EQ(row(Border::reflect, 1), "aaaaaaaaaaa");
}

TEST(ToU8, ClampsAndRoundsHalfToEven) {
  EXPECT_EQ(to_u8(0.5F, 1.0F), 0);
  EXPECT_EQ(to_u8(1.5F, 1.0F), 2);
  EXPECT_EQ(to_u8(2.5F, 1.0F), 2);
  EXPECT_EQ(to_u8(254.5F, 1.0F), 254);
  EXPECT_EQ(to_u8(std::nextafter(254.5F, 255.0F), 1.0F), 255);
  EXPECT_EQ(to_u8(255.5F, 1.0F), 255);
  EXPECT_EQ(to_u8(-0.7F, 1.0F), 0);
  EXPECT_EQ(to_u8(1.0F, 255.0F), 255);
  EXPECT_EQ(to_u8(std::numeric_limits<float>::quiet_NaN(), 255.0F), 0);
  EXPECT_EQ(to_u8(std::numeric_limits<float>::infinity(), 255.0F), 255);
  EXPECT_EQ(to_u8(-std::numeric_limits<float>::infinity(), 255.0F), 0);
}

TEST(ToU8, RoundsAsNearbyintDoesInAnyRoundingModeOfTheThread) {
  std::vector<float> values;
  for (int eighth = -16; eighth < 257 * 8; ++eighth) {
    const float value = static_cast<float>(eighth) / 8.0F;
    values.insert(values.end(), {value, std::nextafter(value, -1e9F), std::nextafter(value, 1e9F)});
  }
  std::vector<int> expected;
  for (const float value : values) {
    expected.push_back(static_cast<int>(std::nearbyint(std::fmin(std::fmax(value, 0.0F), 255.0F))));
  }
  for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(to_u8(values[i], 1.0F), expected[i]) << values[i] << " in mode " << mode;
    }
  }
  std::fesetround(FE_TONEAREST);
}

/// What gather_tile should give, pixel by pixel.
float expected_input(const ImageView& image, int y, int x, int channel, Border border, ColorMode mode,
                     const InputTable& table) {
  y = border_index(y, image.extent.height, border);
  x = border_index(x, image.extent.width, border);
  std::uint32_t value = 0;
  if (image.channels < 3) {
    value = sample(image, y, x, 0);
  } else if (channels_of(mode) == 1) {
    value = luma(sample(image, y, x, 0), sample(image, y, x, 1), sample(image, y, x, 2));
  } else {
    value = sample(image, y, x, mode == ColorMode::bgr ? 2 - channel : channel);
  }
  return image.depth == Depth::u8 ? table.u8(channel)[value] : table.u16(channel)[value];
}

TEST(GatherTile, GivesPlanesOfAnyImageInAnyColourModeWithItsBorder) {
  std::mt19937_64 random{11};
  const std::array<ChannelScaling, 3> scaling{{{1.0 / 255.0, 0.4, 0.2}, {1.0, 3.0, 1.0}, {0.5, 0.0, 2.0}}};
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto between = [&](int least, int most) {
      return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
    };
    const Image image = random_image(random, {between(1, 20), between(1, 20)}, between(1, 4),
                                     between(0, 1) == 0 ? Depth::u8 : Depth::u16);
    const auto mode = static_cast<ColorMode>(between(0, 3));
    const auto border = static_cast<Border>(between(1, 2));
    const Rect source{between(-25, 20), between(-25, 20), between(1, 30), between(1, 30)};
    const InputTable table{std::span{scaling}.first(static_cast<std::size_t>(channels_of(mode)))};
    std::vector<float> nchw(static_cast<std::size_t>(source.area()) * static_cast<std::size_t>(channels_of(mode)));
    gather_tile(image.view(), source, border, mode, table, nchw);
    std::size_t at = 0;
    for (int channel = 0; channel < channels_of(mode); ++channel) {
      for (int y = source.y; y < source.bottom(); ++y) {
        for (int x = source.x; x < source.right(); ++x) {
          ASSERT_EQ(nchw[at++], expected_input(image.view(), y, x, channel, border, mode, table)) << y << ' ' << x;
        }
      }
    }
  }
}

/// The pixels of `part` alone.
Image cut_out(const ImageView& image, Rect part) {
  Image cut{part.extent(), image.channels, image.depth};
  for (int y = 0; y < part.height; ++y) {
    const std::byte* const from = image.row(part.y + y) + static_cast<std::size_t>(part.x) * image.pixel_bytes();
    std::copy_n(from, cut.view().row_bytes(), cut.row(y));
  }
  return cut;
}

TEST(GatherTile, NeedsNoMoreOfAnImageThanItSays) {
  std::mt19937_64 random{13};
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto between = [&](int least, int most) {
      return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
    };
    const Image image = random_image(random, {between(1, 30), between(1, 30)}, 3, Depth::u8);
    const auto border = static_cast<Border>(between(1, 2));
    const Rect source{between(-12, 25), between(-12, 25), between(1, 30), between(1, 30)};
    const InputTable table = plain_table(ColorMode::rgb);
    std::vector<float> of_whole(static_cast<std::size_t>(source.area()) * 3);
    gather_tile(image.view(), source, border, ColorMode::rgb, table, of_whole);
    const Rect part = needed_part(image.extent(), source, border);
    const Image cut = cut_out(image.view(), part);
    std::vector<float> of_part(of_whole.size());
    gather_tile({cut.view(), part, image.extent()}, source, border, ColorMode::rgb, table, of_part);
    ASSERT_EQ(of_part, of_whole);
  }
}

TEST(GatherTileDeath, RefusesAPartThatHasNotAllThatItNeeds) {
  const Image image{{4, 8}, 1, Depth::u8};
  std::vector<float> nchw(8);
  const InputTable table = plain_table(ColorMode::gray);
  const ImagePart part{image.view(), {0, 2, 4, 8}, {20, 20}};
  EXPECT_DEATH(gather_tile(part, {0, 1, 1, 8}, Border::none, ColorMode::gray, table, nchw), "are there");
}

TEST(GatherTileDeath, RefusesToReadOutsideTheImageWithoutABorder) {
  const Image image{{4, 4}, 1, Depth::u8};
  std::vector<float> nchw(25);
  const InputTable table = plain_table(ColorMode::gray);
  EXPECT_DEATH(gather_tile(image.view(), {0, 0, 5, 5}, Border::none, ColorMode::gray, table, nchw), "border");
}

/// A model that repeats each pixel scale × scale times, drops its halo like a valid convolution, and changes nothing
/// else.
std::vector<float> enlarged(const std::vector<float>& nchw, int channels, Rect source, const TileGeometry& geometry) {
  std::vector<float> out;
  const bool valid = geometry.padding == Padding::valid;
  const Margin halo = valid ? geometry.halo : Margin{};
  for (int channel = 0; channel < channels; ++channel) {
    for (int y = 0; y < (source.height - halo.vertical()) * geometry.scale; ++y) {
      for (int x = 0; x < (source.width - halo.horizontal()) * geometry.scale; ++x) {
        const int from_y = y / geometry.scale + halo.top;
        const int from_x = x / geometry.scale + halo.left;
        out.push_back(nchw[static_cast<std::size_t>((channel * source.height + from_y) * source.width + from_x)]);
      }
    }
  }
  return out;
}

TEST(ScatterTile, PutsTilesBackTogetherWithoutASeam) {
  std::mt19937_64 random{5};
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const ColorMode mode : {ColorMode::rgb, ColorMode::bgr, ColorMode::gray}) {
      const int channels = channels_of(mode);
      const TileGeometry geometry{.scale = 2, .halo = {3, 1, 2, 4}, .padding = padding};
      const Image image = random_image(random, {61, 83}, channels, Depth::u8);
      const Rect block{32, 16, 70, 150};
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(block.area() * channels));
      const TileGrid grid{image.extent(), geometry, Border::reflect, block, {16, 24}};
      for (std::size_t tile = 0; tile < grid.size(); ++tile) {
        std::vector<float> nchw(static_cast<std::size_t>(grid.source(tile).area() * channels));
        gather_tile(image.view(), grid.source(tile), Border::reflect, mode, plain_table(mode), nchw);
        scatter_tile(enlarged(nchw, channels, grid.source(tile), geometry), channels, grid.produced(tile),
                     grid.owned(tile), 1.0F, mode, pixels, block);
      }
      std::size_t at = 0;
      for (int y = block.y; y < block.bottom(); ++y) {
        for (int x = block.x; x < block.right(); ++x) {
          for (int channel = 0; channel < channels; ++channel) {
            ASSERT_EQ(pixels[at++], sample(image.view(), y / 2, x / 2, channel)) << y << ' ' << x << ' ' << channel;
          }
        }
      }
    }
  }
}

TEST(ScatterTile, ConvertsLongRowsAndAnyNumberOfChannels) {
  constexpr int width = 1000;
  for (const int channels : {1, 2, 3, 5}) {
    std::vector<float> nchw(static_cast<std::size_t>(width * channels));
    for (std::size_t i = 0; i < nchw.size(); ++i) {
      nchw[i] = static_cast<float>(i) * 0.37F / 255.0F;
    }
    std::vector<std::uint8_t> pixels(nchw.size());
    const Rect row{0, 0, 1, width};
    scatter_tile(nchw, channels, row, row, 255.0F, ColorMode::rgb, pixels, row);
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < channels; ++channel) {
        const float value = nchw[static_cast<std::size_t>(channel * width + x)];
        ASSERT_EQ(pixels[static_cast<std::size_t>(x * channels + channel)], to_u8(value, 255.0F));
      }
    }
  }
}

}  // namespace
}  // namespace pantile
