#include "codec/row_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using samples::file_of;
using samples::picture;

/// A file that gives at most so many bytes at once, and perhaps not all of them.
class SlowReader final : public ByteReader {
 public:
  SlowReader(const Bytes& bytes, std::size_t most) : bytes_{bytes}, most_{most} {}
  std::uint64_t breaks_at = ~std::uint64_t{0};

  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    if (at >= breaks_at) {
      throw Error{"the disk is gone"};
    }
    return MemoryReader{bytes_}.read_at(at, into.first(std::min(most_, into.size())));
  }

 private:
  const Bytes& bytes_;
  std::size_t most_;
};

ImageHeader header_of(const Bytes& file) { return probe(file, file.size()).value(); }

/// The image, `rows` rows at a time.
Result<Image> decode_by_rows(const Bytes& file, int rows, std::size_t most_bytes = 1000) {
  const ImageHeader header = header_of(file);
  Image image{header.stored, header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
  SlowReader reader{file, most_bytes};
  const std::unique_ptr<RowReader> decoder = read_rows(reader, header, {});
  const std::size_t row_bytes = image.view().row_bytes();
  for (int y = 0; y < header.stored.height; y += rows) {
    const int some = std::min(rows, header.stored.height - y);
    const auto part =
        image.bytes().subspan(static_cast<std::size_t>(y) * row_bytes, static_cast<std::size_t>(some) * row_bytes);
    if (auto failure = decoder->read(part)) {
      return *std::move(failure);
    }
  }
  return image;
}

std::vector<Bytes> files() {
  const auto sample = [](int y, int x, int channel) {
    return static_cast<std::uint32_t>(7 * y + 11 * x + 60 * channel);
  };
  std::vector<Bytes> files;
  for (const int colour : {0, 2, 4, 6}) {
    for (const int bits : {8, 16}) {
      files.push_back(file_of(
          samples::Png{.extent = {67, 41}, .bits = bits, .colour = colour, .sample = sample, .idat_bytes = 900}));
    }
  }
  for (const int channels : {1, 3, 4}) {
    files.push_back(file_of(picture({67, 41}, channels, Depth::u8),
                            samples::Jpeg{.restart_rows = channels == 1 ? 2 : 0, .cmyk = channels == 4}));
  }
  return files;
}

TEST(RowReader, GivesWhatDecodeGivesInPiecesOfAnySize) {
  for (const Bytes& file : files()) {
    const Result<Image> whole = decode(file);
    ASSERT_TRUE(whole) << whole.failure().detail;
    for (const auto& [rows, most_bytes] : {std::pair{1, 1UL}, {5, 37UL}, {16, 1000UL}, {66, 4096UL}, {67, 100'000UL}}) {
      const Result<Image> image = decode_by_rows(file, rows, most_bytes);
      ASSERT_TRUE(image) << image.failure().detail;
      EXPECT_TRUE(samples::same_pixels(image.value(), whole.value())) << rows << " rows at a time";
    }
  }
}

TEST(RowReader, FindsEachCutAndSaysTheSameOfIt) {
  for (const Bytes& file : files()) {
    for (std::size_t bytes = file.size() - 1; bytes > file.size() / 3; bytes -= 7) {
      const Bytes cut{file.begin(), file.begin() + static_cast<std::ptrdiff_t>(bytes)};
      if (!probe(cut, cut.size())) {
        continue;  // It ends before its pixels begin.
      }
      const Result<Image> whole = decode(cut);
      ASSERT_FALSE(whole);
      const Result<Image> image = decode_by_rows(cut, 7);
      ASSERT_FALSE(image) << "cut at " << bytes << " of " << file.size();
      EXPECT_EQ(image.failure(), whole.failure()) << "cut at " << bytes;
    }
  }
}

TEST(RowReader, TellsADiskThatFailsFromAFileThatEnds) {
  for (const Bytes& file : files()) {
    const ImageHeader header = header_of(file);
    SlowReader reader{file, 16};
    reader.breaks_at = file.size() - 40;
    const std::unique_ptr<RowReader> rows = read_rows(reader, header, {});
    Bytes pixels(decoded_bytes(header));
    EXPECT_THROW(static_cast<void>(rows->read(pixels)), Error);
  }
}

TEST(RowReader, MayBeLeftInTheMiddle) {
  for (const Bytes& file : files()) {
    const ImageHeader header = header_of(file);
    MemoryReader reader{file};
    const std::unique_ptr<RowReader> rows = read_rows(reader, header, {});
    Bytes pixels(decoded_bytes(header) / static_cast<std::size_t>(header.stored.height) * 9);
    EXPECT_FALSE(rows->read(pixels));
  }
}

}  // namespace
}  // namespace pantile
