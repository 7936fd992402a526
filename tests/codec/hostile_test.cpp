// Bytes from outside: every cut, and thousands of random changes. Run it under the sanitizers too. Each file lies in a
// buffer of exactly its size, so that a read behind it is seen.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

std::uint32_t noise(int y, int x, int channel) {
  return static_cast<std::uint32_t>(y * 31 + x * 17 + channel * 101) * 2'654'435'761U >> 5U;
}

std::vector<Bytes> png_files() {
  const Bytes palette = samples::png_chunk("PLTE", samples::from_hex("000000ff000000ff000000ff"));
  return {
      samples::file_of(samples::Png{.extent = {11, 13}, .colour = 2, .sample = noise, .idat_bytes = 90}),
      samples::file_of(samples::Png{.extent = {9, 10}, .bits = 16, .colour = 6, .interlaced = true, .sample = noise}),
      samples::file_of(samples::Png{.extent = {12, 7}, .bits = 2, .colour = 3, .chunks = {palette}, .sample = noise}),
  };
}

std::vector<Bytes> jpeg_files() {
  const Image colour = samples::picture({29, 37}, 3, Depth::u8);
  const Image grey = samples::picture({40, 21}, 1, Depth::u8);
  return {
      samples::with_segment(samples::file_of(colour, samples::Jpeg{.quality = 40}), samples::exif_segment(5)),
      samples::file_of(colour, samples::Jpeg{.quality = 40, .progressive = true}),
      samples::file_of(grey, samples::Jpeg{.restart_rows = 2}),
      samples::file_of(colour, samples::Jpeg{.one_scan_per_component = true}),
  };
}

TEST(Hostile, EveryCutOfAFileIsSeen) {
  for (const auto& files : {png_files(), jpeg_files()}) {
    for (const Bytes& file : files) {
      ASSERT_TRUE(decode(file));
      const std::size_t magic_bytes = file[0] == std::byte{0x89} ? 8 : 3;
      for (std::size_t length = 0; length < file.size(); ++length) {
        const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
        const auto image = decode(cut);
        ASSERT_FALSE(image) << length << " of " << file.size() << " bytes";
        ASSERT_EQ(name(image.failure().fault), name(length < magic_bytes ? Fault::not_an_image : Fault::truncated))
            << length << " of " << file.size() << " bytes: " << image.failure().detail;
      }
    }
  }
}

/// Changes one to four places: a bit, a byte, a swap, or a piece that is copied elsewhere.
Bytes mutated(Bytes file, std::mt19937_64& random) {
  const std::uint64_t changes = 1 + random() % 4;
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = random() % file.size();
    switch (random() % 4) {
      case 0: file[at] ^= static_cast<std::byte>(1U << random() % 8); break;
      case 1: file[at] = static_cast<std::byte>(random()); break;
      case 2: std::swap(file[at], file[random() % file.size()]); break;
      default: {
        const std::size_t count = std::min<std::size_t>(random() % 16, file.size() - at);
        const std::size_t from = random() % (file.size() - count + 1);
        std::copy_n(Bytes(file).begin() + static_cast<std::ptrdiff_t>(from), count,
                    file.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
  }
  return file;
}

/// Small, so that a header that lies costs nothing.
constexpr DecodeLimits small_limits{.max_pixels = 1'000'000};

TEST(Hostile, ADamagedPngIsRefusedOrHasAllItsPixels) {
  for (const Bytes& file : png_files()) {
    const auto expected = decode(file);
    ASSERT_TRUE(expected);
    for (std::uint64_t seed = 0; seed < 4'000; ++seed) {
      std::mt19937_64 random{seed};
      const auto image = decode(mutated(file, random), small_limits);
      if (image) {
        ASSERT_TRUE(samples::same_pixels(image.value(), expected.value())) << "seed " << seed;
      } else {
        ASSERT_TRUE(is_bad_input(image.failure().fault) && !image.failure().detail.empty()) << "seed " << seed;
      }
    }
  }
}

TEST(Hostile, ADamagedJpegIsRefusedOrHasTheShapeOfItsHeader) {
  int refused = 0;
  for (const Bytes& file : jpeg_files()) {
    for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
      std::mt19937_64 random{seed};
      const Bytes damaged = mutated(file, random);
      const auto image = decode(damaged, small_limits);
      if (image) {
        ASSERT_EQ(image.value().extent(), probe(damaged, damaged.size()).value().oriented) << "seed " << seed;
      } else {
        ++refused;
        ASSERT_TRUE(is_bad_input(image.failure().fault) && !image.failure().detail.empty()) << "seed " << seed;
      }
    }
  }
  EXPECT_GT(refused, 3'000) << "JPEG has no checksum, but most damage is seen";
}

TEST(Hostile, NonsenseBehindAMagicIsRefused) {
  for (const Bytes& magic : {samples::from_hex("89504e470d0a1a0a0000000d49484452"), samples::from_hex("ffd8ffe0"),
                             samples::from_hex("ffd8ffe1"), samples::from_hex("ffd8ffc0001108")}) {
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
      std::mt19937_64 random{seed};
      Bytes file = magic;
      file.resize(magic.size() + random() % 400);
      std::generate(file.begin() + static_cast<std::ptrdiff_t>(magic.size()), file.end(),
                    [&] { return static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random()); });
      ASSERT_FALSE(decode(file, small_limits)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pantile
