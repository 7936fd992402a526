#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiff.h>

#include <algorithm>
#include <array>

#include "codec/byte_reader.hpp"
#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using samples::file_of;
using samples::picture;
using testing::HasSubstr;

Result<ImageHeader> probe_all(const Bytes& file) { return probe(file, file.size()); }

void expect_round_trip(const Image& expected, const samples::Tiff& facts, const std::string& what) {
  const Bytes file = file_of(expected, facts);
  const auto image = decode(file);
  ASSERT_TRUE(image) << what << ": " << image.failure().detail;
  EXPECT_TRUE(samples::same_pixels(image.value(), expected)) << what;
}

TEST(Tiff, EveryByteOrderLayoutAndDepthGivesTheSamePixels) {
  for (const Depth depth : {Depth::u8, Depth::u16}) {
    for (int channels = 1; channels <= 4; ++channels) {
      const Image expected = picture({37, 53}, channels, depth);
      for (unsigned kind = 0; kind < 16; ++kind) {
        const samples::Tiff facts{.big_endian = (kind & 1U) != 0,
                                  .big_offsets = (kind & 2U) != 0,
                                  .tile = (kind & 4U) != 0 ? Extent{16, 32} : Extent{},
                                  .planes = (kind & 8U) != 0};
        expect_round_trip(expected, facts,
                          std::to_string(channels) + " channels, depth " + std::to_string(static_cast<int>(depth)) +
                              ", kind " + std::to_string(kind));
      }
    }
  }
}

TEST(Tiff, EveryLosslessCompressionGivesTheSamePixels) {
  const Image expected = picture({37, 53}, 3, Depth::u8);
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,
                                COMPRESSION_PACKBITS, COMPRESSION_LZMA, COMPRESSION_ZSTD}) {
    for (const Extent tile : {Extent{}, Extent{16, 16}}) {
      expect_round_trip(expected, {.tile = tile, .compression = compression},
                        "compression " + std::to_string(compression));
    }
  }
}

TEST(Tiff, HeaderTellsWhatADecoderAndAPlannerNeed) {
  const auto strips = probe_all(file_of(picture({37, 53}, 4, Depth::u16), samples::Tiff{.orientation = 6}));
  ASSERT_TRUE(strips) << strips.failure().detail;
  EXPECT_EQ(strips.value(), (ImageHeader{.format = ImageFormat::tiff,
                                         .stored = {37, 53},
                                         .oriented = {53, 37},
                                         .channels = 4,
                                         .bits = 16,
                                         .orientation = 6,
                                         .has_alpha = true,
                                         .tile = {8, 53},
                                         .samples = 4}));
  const auto tiles = probe_all(file_of(picture({37, 53}, 1, Depth::u8), samples::Tiff{.tile = {16, 32}}));
  ASSERT_TRUE(tiles);
  EXPECT_EQ(tiles.value().tile, (Extent{16, 32}));
  EXPECT_TRUE(reads_regions(tiles.value()));
  const auto one_strip = probe_all(file_of(picture({37, 53}, 1, Depth::u8), samples::Tiff{.rows_per_strip = 37}));
  ASSERT_TRUE(one_strip);
  EXPECT_FALSE(reads_regions(one_strip.value()));
  const auto inks =
      probe_all(file_of(picture({37, 53}, 4, Depth::u8), samples::Tiff{.photometric = PHOTOMETRIC_SEPARATED}));
  ASSERT_TRUE(inks) << inks.failure().detail;
  EXPECT_TRUE(inks.value().cmyk && inks.value().channels == 3 && !inks.value().has_alpha);
}

/// Calls itself a file of any size: what is not there is zeros, but for the last bytes.
class LongFile final : public ByteReader {
 public:
  LongFile(Bytes start, std::uint64_t bytes, Bytes end)
      : start_{std::move(start)}, bytes_{bytes}, end_{std::move(end)} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_; }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    std::size_t some = 0;
    for (; some < into.size() && at + some < bytes_; ++some) {
      const std::uint64_t place = at + some;
      const std::uint64_t end_at = bytes_ - end_.size();
      into[some] = place < start_.size() ? start_[place] : (place >= end_at ? end_[place - end_at] : std::byte{0});
    }
    return some;
  }

 private:
  Bytes start_;
  std::uint64_t bytes_;
  Bytes end_;
};

TEST(Tiff, DirectoryMayBeAtTheVeryEndOfGigabytes) {
  // 4096 bytes before the end of 40 GB; width, height, offset of the strip.
  const std::uint64_t size = 40'000'000'000;
  Bytes start = samples::from_hex("49492b0008000000");
  Writer place;
  place.put(size - 4096);
  start.insert(start.end(), place.bytes().begin(), place.bytes().end());
  Writer directory;
  directory.put(std::uint64_t{5});
  const auto entry = [&](std::uint16_t tag, std::uint16_t type, std::uint64_t value) {
    directory.put(tag).put(type).put(std::uint64_t{1}).put(value);
  };
  entry(256, 4, 200'000);
  entry(257, 4, 200'000);
  entry(258, 3, 8);
  entry(262, 3, 1);
  entry(273, 16, 16);
  Bytes end = directory.bytes();
  end.resize(4096);
  LongFile file{start, size, end};
  const auto header = probe(file);
  ASSERT_TRUE(header) << header.failure().detail;
  EXPECT_EQ(header.value().stored, (Extent{200'000, 200'000}));
}

TEST(Tiff, OneThatEndsEarlySaysAfterHowManyRows) {
  // libtiff writes the directory last: put in front by hand, it would be the same. Here data is moved beyond the end.
  Bytes file = file_of(picture({64, 53}, 1, Depth::u8), samples::Tiff{.big_offsets = true, .rows_per_strip = 16});
  const auto good = decode(file);
  ASSERT_TRUE(good);
  // The file again, without its last 1 byte of the third strip: all strips lie before the directory, in order.
  constexpr std::size_t strip = std::size_t{16} * 53;
  MemoryReader reader{file};
  const auto needle = [&](std::uint64_t value) {
    Writer bytes;
    bytes.put(value);
    return std::search(file.begin(), file.end(), bytes.bytes().begin(), bytes.bytes().end());
  };
  const auto third = needle(16 + 2 * strip);
  ASSERT_NE(third, file.end());
  Writer beyond;
  beyond.put(static_cast<std::uint64_t>(file.size() - strip + 1));
  std::copy(beyond.bytes().begin(), beyond.bytes().end(), third);
  const auto image = decode(file);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.failure().fault, Fault::truncated);
  EXPECT_THAT(image.failure().detail, HasSubstr("TIFF ends after 32 of 64 rows"));
}

TEST(Tiff, DamagedDataIsAnErrorWithTheWordsOfLibtiff) {
  // Of JPEG inside, libtiff only warns, and goes on with grey.
  for (const int compression : {COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_JPEG}) {
    Bytes file =
        file_of(picture({64, 53}, 1, Depth::u8), samples::Tiff{.rows_per_strip = 16, .compression = compression});
    // A strip of nothing but ones.
    std::fill(file.begin() + 8 + 300, file.begin() + 8 + 700, std::byte{0xFF});
    const auto image = decode(file);
    ASSERT_FALSE(image) << compression;
    EXPECT_EQ(name(image.failure().fault), name(Fault::corrupt)) << image.failure().detail;
    EXPECT_THAT(image.failure().detail, HasSubstr("of 64 rows (")) << compression;
  }
}

TEST(Tiff, NothingIsPrinted) {
  Bytes file = file_of(picture({64, 53}, 1, Depth::u8), samples::Tiff{.compression = COMPRESSION_LZW});
  std::fill(file.begin() + 100, file.begin() + 500, std::byte{0xFF});
  testing::internal::CaptureStderr();
  EXPECT_FALSE(decode(file));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

/// Counts the bytes that are read.
class CountingReader final : public ByteReader {
 public:
  explicit CountingReader(std::span<const std::byte> bytes) : memory_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return memory_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    if (broken) {
      throw Error{"the disk is gone"};
    }
    read += into.size();
    return memory_.read_at(at, into);
  }
  std::uint64_t read = 0;
  bool broken = false;

 private:
  MemoryReader memory_;
};

// Found by fuzzing: what libtiff reads of a file that is not in memory goes past the end of a strip that is not packed.
TEST(Region, OfAStripThatIsTooShortIsNoneWhicheverWayItIsRead) {
  Bytes file = file_of(picture({24, 20}, 3, Depth::u8), samples::Tiff{.rows_per_strip = 8});
  const ImageHeader header = probe_all(file).value();
  CountingReader reader{file};
  ASSERT_TRUE(decode_region(reader, header, {0, 0, 24, 20}));
  // Of 8 rows of 20 pixels of 3 bytes; the directory has the number three times, in two bytes each.
  constexpr int strip_bytes = 8 * 20 * 3;
  constexpr std::byte low{strip_bytes & 0xFF};
  constexpr std::byte high{strip_bytes >> 8};
  const std::array<std::byte, 6> counts{low, high, low, high, low, high};
  const auto place = std::search(file.begin(), file.end(), counts.begin(), counts.end());
  ASSERT_NE(place, file.end());
  *place = std::byte{(strip_bytes - 1) & 0xFF};
  EXPECT_EQ(decode(file).failure().fault, Fault::truncated);
  EXPECT_EQ(decode_region(reader, header, {0, 0, 24, 20}).failure().fault, Fault::truncated);
}

Image cropped(const Image& from, Rect part) {
  Image crop{part.extent(), from.channels(), from.depth()};
  for (int y = 0; y < part.height; ++y) {
    const std::byte* const row =
        from.view().row(part.y + y) + static_cast<std::size_t>(part.x) * from.view().pixel_bytes();
    std::copy_n(row, crop.view().row_bytes(), crop.row(y));
  }
  return crop;
}

TEST(Region, IsThatPartOfTheImageWhateverTheOrientation) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const Extent tile : {Extent{}, Extent{16, 32}}) {
      for (const bool planes : {false, true}) {
        const Bytes file = file_of(picture({101, 203}, 3, Depth::u8),
                                   samples::Tiff{.tile = tile, .planes = planes, .orientation = orientation});
        const auto all = decode(file);
        ASSERT_TRUE(all) << all.failure().detail;
        const ImageHeader header = probe_all(file).value();
        MemoryReader reader{file};
        for (const Rect seen : {Rect{0, 0, 1, 1}, Rect{17, 3, 50, 60}, Rect{40, 40, 61, 61}, whole(header.oriented)}) {
          auto part = decode_region(reader, header, stored_rect(header, seen));
          ASSERT_TRUE(part) << part.failure().detail;
          EXPECT_TRUE(samples::same_pixels(upright(std::move(part).value(), header), cropped(all.value(), seen)))
              << "orientation " << orientation << ", " << to_string(seen.extent());
        }
      }
    }
  }
}

TEST(Region, ReadsOnlyTheTilesThatItNeeds) {
  const Bytes file = file_of(picture({1024, 1024}, 3, Depth::u8), samples::Tiff{.big_offsets = true, .tile = {64, 64}});
  const ImageHeader header = probe_all(file).value();
  constexpr std::uint64_t tile_bytes = std::uint64_t{64} * 64 * 3;
  CountingReader reader{file};
  // Four tiles meet at (128, 128).
  ASSERT_TRUE(decode_region(reader, header, {127, 127, 2, 2}));
  EXPECT_GE(reader.read, 4 * tile_bytes);
  EXPECT_LE(reader.read, 4 * tile_bytes + 48'000) << "the directory, and the places of 256 tiles";
  ASSERT_TRUE(decode(file));
}

TEST(Region, SaysWhenTheFileIsAnotherOneOrCannotBeRead) {
  const Bytes file = file_of(picture({101, 203}, 3, Depth::u8), samples::Tiff{.tile = {16, 32}});
  ImageHeader header = probe_all(file).value();
  CountingReader reader{file};
  header.channels = 4;
  EXPECT_EQ(decode_region(reader, header, {0, 0, 8, 8}).failure().fault, Fault::changed);
  header.channels = 3;
  reader.broken = true;
  EXPECT_EQ(decode_region(reader, header, {0, 0, 8, 8}).failure(), (Failure{Fault::unreadable, "the disk is gone"}));
}

}  // namespace
}  // namespace pantile
