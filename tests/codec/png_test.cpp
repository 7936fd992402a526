#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using samples::png_chunk;
using testing::HasSubstr;
using testing::MatchesRegex;

std::uint32_t mixed(int y, int x, int channel) {
  const auto value = static_cast<std::uint32_t>(y * 2'654'435 + x * 40'503 + channel * 977);
  return (value ^ value >> 7U) * 2'246'822'519U >> 3U;
}

unsigned value_at(const Image& image, int y, int x, int channel) {
  const std::byte* const pixel = image.view().row(y) + static_cast<std::size_t>(x) * image.view().pixel_bytes();
  return image.depth() == Depth::u8 ? std::to_integer<unsigned>(pixel[channel])
                                    : reinterpret_cast<const std::uint16_t*>(pixel)[channel];
}

/// A palette whose colours tell their index.
Bytes palette(int colours) {
  Bytes table;
  for (int i = 0; i < colours; ++i) {
    for (const int value : {i, 255 - i, i * 3 + 1}) {
      table.push_back(static_cast<std::byte>(value));
    }
  }
  return png_chunk("PLTE", table);
}

TEST(Png, EveryKindOfPixelIsReadExactly) {
  struct Kind {
    int colour;
    int bits;
  };
  constexpr std::array<Kind, 11> kinds{
      {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {4, 8}, {4, 16}, {6, 8}, {6, 16}}};
  constexpr std::array<int, 7> channels_of_colour{1, 0, 3, 1, 2, 0, 4};
  const Extent extent{13, 21};
  for (const auto& [colour, bits] : kinds) {
    for (const bool interlaced : {false, true}) {
      SCOPED_TRACE("colour type " + std::to_string(colour) + ", bits " + std::to_string(bits));
      const auto image = decode(samples::file_of(samples::Png{.extent = extent,
                                                              .bits = bits,
                                                              .colour = colour,
                                                              .interlaced = interlaced,
                                                              .sample = mixed,
                                                              .idat_bytes = 50}));
      ASSERT_TRUE(image) << image.failure().detail;
      const int channels = channels_of_colour.at(static_cast<std::size_t>(colour));
      ASSERT_EQ(image.value().channels(), channels);
      ASSERT_EQ(image.value().depth(), bits == 16 ? Depth::u16 : Depth::u8);
      const std::uint32_t most = (1U << static_cast<unsigned>(bits)) - 1;
      const std::uint32_t widening = bits < 8 ? 255 / most : 1;  // White is 255.
      for (int y = 0; y < extent.height; ++y) {
        for (int x = 0; x < extent.width; ++x) {
          for (int channel = 0; channel < channels; ++channel) {
            ASSERT_EQ(value_at(image.value(), y, x, channel), (mixed(y, x, channel) & most) * widening);
          }
        }
      }
    }
  }
}

TEST(Png, PalettesBecomeColoursAndTheirTransparencyAlpha) {
  for (const int bits : {1, 2, 4, 8}) {
    for (const bool transparent : {false, true}) {
      SCOPED_TRACE("bits " + std::to_string(bits));
      const int colours = 1 << bits;
      std::vector<Bytes> chunks{palette(colours)};
      if (transparent) {
        chunks.push_back(png_chunk("tRNS", samples::from_hex("0a14")));  // Only of the first two colours.
      }
      const auto image = decode(samples::file_of(
          samples::Png{.extent = {9, 9}, .bits = bits, .colour = 3, .chunks = chunks, .sample = mixed}));
      ASSERT_TRUE(image) << image.failure().detail;
      ASSERT_EQ(image.value().channels(), transparent ? 4 : 3);
      for (int y = 0; y < 9; ++y) {
        for (int x = 0; x < 9; ++x) {
          const unsigned index = mixed(y, x, 0) & static_cast<unsigned>(colours - 1);
          ASSERT_EQ(value_at(image.value(), y, x, 0), index);
          ASSERT_EQ(value_at(image.value(), y, x, 1), 255 - index);
          if (transparent) {
            ASSERT_EQ(value_at(image.value(), y, x, 3), index == 0 ? 10U : (index == 1 ? 20U : 255U));
          }
        }
      }
    }
  }
}

TEST(Png, ATransparentColourBecomesAlpha) {
  const auto image = decode(
      samples::file_of(samples::Png{.extent = {2, 2},
                                    .bits = 8,
                                    .colour = 2,
                                    .chunks = {png_chunk("tRNS", samples::from_hex("000500050005"))},
                                    .sample = [](int y, int x, int) -> std::uint32_t { return y == x ? 5U : 9U; }}));
  ASSERT_TRUE(image) << image.failure().detail;
  ASSERT_EQ(image.value().channels(), 4);
  EXPECT_EQ(value_at(image.value(), 0, 0, 3), 0U);
  EXPECT_EQ(value_at(image.value(), 0, 1, 3), 255U);
}

Bytes grey_png(std::vector<Bytes> chunks = {}) {
  return samples::file_of(samples::Png{.extent = {40, 30}, .chunks = std::move(chunks), .sample = mixed});
}

Bytes damaged(Bytes bytes, std::size_t at) {
  bytes[at] ^= std::byte{1};
  return bytes;
}

TEST(Png, WhatHoldsNoPixelsNeverMakesItFail) {
  const auto expected = decode(grey_png());
  ASSERT_TRUE(expected);
  const Bytes text = png_chunk("tEXt", samples::bytes_of("Comment"));
  const Bytes bomb = samples::joined({samples::bytes_of({"bomb\0\0", 6}), samples::deflated(Bytes(50'000'000))});
  const std::vector<Bytes> harmless{
      damaged(text, text.size() - 1),
      png_chunk("zTXt", bomb),
      png_chunk("zTXt", samples::bytes_of({"x\0\7nonsense", 11})),
      png_chunk("iCCP", samples::bytes_of({"profile\0\0nonsense", 17})),
      png_chunk("gAMA", samples::from_hex("00000001")),
      png_chunk("eXIf", samples::bytes_of("nonsense")),
      png_chunk("prVt", Bytes(70'000)),
      png_chunk("PLTE", samples::from_hex("010203")),  // Not allowed in a grey image.
  };
  for (const Bytes& chunk : harmless) {
    const auto image = decode(grey_png({chunk}));
    ASSERT_TRUE(image) << image.failure().detail;
    EXPECT_TRUE(samples::same_pixels(image.value(), expected.value()));
  }
  EXPECT_TRUE(decode(samples::joined({grey_png(), samples::bytes_of("and more")})));
}

TEST(Png, TransparencyThatIsDamagedLeavesTheColours) {
  const Bytes good = png_chunk("tRNS", samples::from_hex("0005"));
  for (const Bytes& chunk : {damaged(good, good.size() - 1), png_chunk("tRNS", samples::from_hex("000500"))}) {
    const auto image = decode(grey_png({chunk}));
    ASSERT_TRUE(image) << image.failure().detail;
    ASSERT_EQ(image.value().channels(), 2);
    EXPECT_EQ(value_at(image.value(), 3, 4, 0), mixed(3, 4, 0) & 255U);
    EXPECT_EQ(value_at(image.value(), 3, 4, 1), 255U);
  }
}

TEST(Png, AChunkThatMustBeUnderstoodIsAnError) {
  const auto image = decode(grey_png({png_chunk("CRIT", {})}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
}

TEST(Png, OneThatEndsEarlySaysAfterWhichRow) {
  const Bytes file = grey_png();
  const auto image = decode(std::span{file}.first(file.size() / 2));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::truncated);
  EXPECT_THAT(image.failure().detail, MatchesRegex("PNG ends after [0-9]+ of 40 rows"));
  const auto no_end = decode(std::span{file}.first(file.size() - 12));
  ASSERT_FALSE(no_end);
  EXPECT_EQ(no_end.failure(), (Failure{Fault::truncated, "PNG has data for its 40 rows, but no end"}));
}

TEST(Png, AnInterlacedOneThatEndsEarlySaysInWhichPass) {
  const Bytes file =
      samples::file_of(samples::Png{.extent = {40, 30}, .interlaced = true, .sample = mixed, .idat_bytes = 100});
  const auto image = decode(std::span{file}.first(file.size() / 2));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::truncated);
  EXPECT_THAT(image.failure().detail, MatchesRegex("PNG ends in pass [1-7] of 7, after [0-9]+ of 40 rows"));
}

TEST(Png, AWrongChecksumOfPixelsIsAnError) {
  const Bytes file = grey_png();
  const auto image = decode(damaged(file, file.size() - 13));  // The last byte before IEND's 12.
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
  EXPECT_THAT(image.failure().detail, HasSubstr("CRC error"));
}

TEST(Png, FewerPixelsThanItClaimsIsAnError) {
  Bytes file = grey_png();
  const Bytes taller = png_chunk("IHDR", samples::from_hex("0000001e000000290800000000"));
  std::copy(taller.begin(), taller.end(), file.begin() + 8);
  const auto image = decode(file);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::corrupt);
}

}  // namespace
}  // namespace pantile
