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

const Bytes& jpeg2000_file() {
  static const Bytes file = samples::from_hex(
      "ff4fff51002f000000000008000000060000000000000000000000080000000600000000000000000003070101070101070101ff52000c00"
      "00"
      "0001000004040001ff5c00044040ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff9000"
      "0a"
      "0000000000a20001ff93df8178122cbd0ba24fb7ac76a5240eedf7260135679eff1170df3982297121707dc9e02ff5ca710d34808a4d211d"
      "79"
      "79a5e7cfb4b8117abdc4eaaa6ae834930d035c6c2a85b8b7322304f90e5a46d6f8283c5e49b0a3483b0fcc4f76d9f42fdcbcd2f3cfb4b811"
      "7a"
      "bdc53aa225d2f066cfec1ae6146194036a1e911e78d8019401c6281ff26d4460e105b3c9ccfb6639be6f1177ffd9");
  return file;
}

/// Of each format but PNG and JPEG.
std::vector<Bytes> other_files() {
  const Image colour = samples::picture({29, 37}, 3, Depth::u8);
  const Image clear = samples::picture({21, 18}, 4, Depth::u8);
  const Image grey16 = samples::picture({20, 33}, 1, Depth::u16);
  std::vector<Bytes> files;
  for (const bool lossless : {false, true}) {
    files.push_back(samples::file_of(colour, samples::Webp{.lossless = lossless}));
    files.push_back(samples::file_of(clear, samples::Webp{.lossless = lossless, .orientation = 6}));
    files.push_back(samples::file_of(clear, samples::Webp{.lossless = lossless, .frames = 2}));
  }
  for (const int compression : {1, 5, 8, 7, 32773}) {
    files.push_back(samples::file_of(colour, samples::Tiff{.tile = {16, 16}, .compression = compression}));
    files.push_back(
        samples::file_of(colour, samples::Tiff{.big_endian = true, .big_offsets = true, .compression = compression}));
  }
  files.push_back(samples::file_of(grey16, samples::Tiff{.big_endian = true, .compression = 5}));
  files.push_back(samples::file_of(clear, samples::Tiff{.compression = 8, .planes = true}));
  files.push_back(samples::file_of(clear, samples::Tiff{.compression = 7, .photometric = 5}));
  files.push_back(samples::file_of(samples::Gif{.screen = {20, 30}, .place = {1, 2, 18, 27}, .transparent = 3}));
  files.push_back(samples::file_of(samples::Gif{.screen = {20, 30}, .place = {0, 0, 20, 30}, .interlaced = true}));
  files.push_back(samples::file_of(colour, samples::Bmp{}));
  files.push_back(samples::joined({samples::bytes_of("P6 4 4 255\n"), Bytes(48, std::byte{77})}));
  files.push_back(samples::bytes_of("P2 3 3 99\n1 2 3\n4 5 6\n7 8 9\n"));
  files.push_back(
      samples::joined({samples::bytes_of("P7\nWIDTH 3\nHEIGHT 3\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"),
                       Bytes(36, std::byte{9})}));
  files.push_back(
      samples::joined({samples::from_hex("59a66a9500000004000000030000001800000024000000010000000000000000"),
                       Bytes(36, std::byte{50})}));
  files.push_back(jpeg2000_file());
  return files;
}

TEST(Hostile, EveryCutOfTheOtherFormatsIsSeenToo) {
  // What belongs to no pixel may be missing: padding, a marker of the end, the place of a second picture.
  constexpr std::size_t behind_the_pixels = 8;
  int number = 0;
  for (const Bytes& file : other_files()) {
    SCOPED_TRACE("file " + std::to_string(number++));
    const auto expected = decode(file);
    ASSERT_TRUE(expected) << expected.failure().detail;
    for (std::size_t length = 0; length < file.size(); ++length) {
      const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
      const auto image = decode(cut);
      if (image) {
        ASSERT_GE(length + behind_the_pixels, file.size());
        ASSERT_TRUE(samples::same_pixels(image.value(), expected.value()))
            << length << " of " << file.size() << " bytes";
      } else {
        ASSERT_TRUE(is_bad_input(image.failure().fault) && !image.failure().detail.empty());
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

TEST(Hostile, DamagedFilesOfTheOtherFormatsAreRefusedOrHaveTheShapeOfTheirHeader) {
  int refused = 0;
  int number = 0;
  for (const Bytes& file : other_files()) {
    SCOPED_TRACE("file " + std::to_string(number++));
    for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
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
  EXPECT_GT(refused, 8'000) << "headers are checked, and most coded data";
}

TEST(Hostile, NonsenseBehindAMagicIsRefused) {
  for (const Bytes& magic : {samples::from_hex("49492a0008000000"), samples::from_hex("4d4d002b00080000"),
                             samples::from_hex("52494646ff0000005745425056503820"), samples::from_hex("474946383961"),
                             samples::from_hex("424d000000000000000036000000280000"), samples::bytes_of("P6 "),
                             samples::from_hex("ff4fff51002f0000"), samples::from_hex("59a66a95000000"),
                             samples::from_hex("89504e470d0a1a0a0000000d49484452"), samples::from_hex("ffd8ffe0"),
                             samples::from_hex("ffd8ffe1"), samples::from_hex("ffd8ffc0001108")}) {
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
      std::mt19937_64 random{seed};
      Bytes file = magic;
      file.resize(magic.size() + random() % 400);
      std::generate(file.begin() + static_cast<std::ptrdiff_t>(magic.size()), file.end(),
                    [&] { return static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random()); });
      ASSERT_FALSE(decode(file, small_limits)) << std::to_integer<int>(magic[0]) << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pantile
