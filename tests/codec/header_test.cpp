#include "codec/header.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/leased_file.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

using samples::bytes_of;
using samples::joined;
using samples::png_chunk;

Result<ImageHeader> probe_all(const Bytes& file) { return probe(file, file.size()); }

std::uint32_t ramp(int y, int x, int channel) { return static_cast<std::uint32_t>(y * 7 + x * 3 + channel); }

Bytes small_png(std::vector<Bytes> chunks = {}) {
  return samples::file_of(samples::Png{.extent = {5, 9}, .chunks = std::move(chunks), .sample = ramp});
}

Bytes small_jpeg() { return samples::file_of(samples::picture({5, 9}, 3, Depth::u8), samples::Jpeg{}); }

/// A file that goes when the test does.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Bytes& bytes) {
    std::ofstream{path_, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                 static_cast<std::streamsize>(bytes.size()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ = ::testing::TempDir() + "pantile_header_" + std::to_string(::getpid());
};

TEST(Header, TellsWhatAPngIs) {
  const auto header = probe_all(
      samples::file_of(samples::Png{.extent = {4, 7}, .bits = 16, .colour = 6, .interlaced = true, .sample = ramp}));
  ASSERT_TRUE(header) << header.failure().detail;
  EXPECT_EQ(header.value(), (ImageHeader{.format = ImageFormat::png,
                                         .stored = {4, 7},
                                         .oriented = {4, 7},
                                         .channels = 4,
                                         .bits = 16,
                                         .interlaced = true,
                                         .has_alpha = true}));
}

TEST(Header, TellsWhatAJpegIs) {
  const auto header =
      probe_all(samples::file_of(samples::picture({30, 17}, 1, Depth::u8), samples::Jpeg{.progressive = true}));
  ASSERT_TRUE(header) << header.failure().detail;
  EXPECT_EQ(header.value(), (ImageHeader{.format = ImageFormat::jpeg,
                                         .stored = {30, 17},
                                         .oriented = {30, 17},
                                         .channels = 1,
                                         .bits = 8,
                                         .progressive = true}));
}

TEST(Header, CountsTheAlphaThatATransparentColourBecomes) {
  const Bytes grey = small_png({png_chunk("tRNS", bytes_of({"\0\1", 2}))});
  ASSERT_TRUE(probe_all(grey));
  EXPECT_EQ(probe_all(grey).value().channels, 2);
  EXPECT_TRUE(probe_all(grey).value().has_alpha);
}

TEST(Header, ReadsTheOrientationOfEitherByteOrder) {
  for (unsigned orientation = 1; orientation <= 8; ++orientation) {
    for (const bool little : {true, false}) {
      const Bytes png = small_png({png_chunk("eXIf", samples::exif(orientation, little))});
      const Bytes jpeg = samples::with_segment(small_jpeg(), samples::exif_segment(orientation, little));
      for (const Bytes& file : {png, jpeg}) {
        const auto header = probe_all(file);
        ASSERT_TRUE(header);
        EXPECT_EQ(header.value().orientation, static_cast<int>(orientation));
        EXPECT_EQ(header.value().stored, (Extent{5, 9}));
        EXPECT_EQ(header.value().oriented, orientation >= 5 ? (Extent{9, 5}) : (Extent{5, 9}));
      }
    }
  }
}

TEST(Header, TakesExifThatMakesNoSenseForNone) {
  Bytes wrong_type = samples::exif(6, true);
  wrong_type[12] = std::byte{7};
  Bytes far_away = samples::exif(6, true);
  far_away[4] = far_away[5] = far_away[6] = far_away[7] = std::byte{0xFF};
  const Bytes whole = samples::exif(6, true);
  for (const Bytes& exif : {samples::exif(0, true), samples::exif(9, false), wrong_type, far_away, bytes_of("II*"),
                            Bytes(whole.begin(), whole.end() - 8), Bytes{}, bytes_of("nonsense nonsense")}) {
    const auto header = probe_all(small_png({png_chunk("eXIf", exif)}));
    ASSERT_TRUE(header);
    EXPECT_EQ(header.value().orientation, 1);
  }
}

TEST(Header, TheFirstExifOfAJpegCounts) {
  Bytes file = samples::with_segment(small_jpeg(), samples::exif_segment(3));
  file = samples::with_segment(file, samples::exif_segment(6));
  EXPECT_EQ(probe_all(file).value().orientation, 6);
}

TEST(Header, SkipsJunkBetweenSegments) {
  EXPECT_TRUE(probe_all(samples::with_segment(small_jpeg(), bytes_of({"\xFF\xFE\0\2junk", 8}))));
}

TEST(Header, TakesATextForNoImage) {
  const auto fault_of = [](std::string_view text) { return probe_all(bytes_of(text)).failure().fault; };
  EXPECT_EQ(fault_of("BMW and other texts"), Fault::not_an_image);
  EXPECT_EQ(fault_of("P45 is a form"), Fault::not_an_image);
  EXPECT_EQ(fault_of("<svg>"), Fault::not_an_image);
  EXPECT_EQ(probe_all({}).failure(), (Failure{Fault::not_an_image, "the file is empty"}));
}

TEST(Header, MagicAloneIsATruncatedFile) {
  for (const std::string_view magic : {std::string_view{"II*\0", 4},
                                       {"MM\0+", 4},
                                       {"GIF89a"},
                                       {"BM\1\2\3\4\0\0\0\0", 10},
                                       {"P6\n12"},
                                       {"\x59\xA6\x6A\x95"},
                                       {"RIFF\1\2\0\0WEBP", 12},
                                       {"\xFF\x4F\xFF\x51"}}) {
    const Failure failure = probe_all(bytes_of(magic)).failure();
    EXPECT_EQ(name(failure.fault), name(Fault::truncated)) << magic << ": " << failure.detail;
  }
}

TEST(Header, KnowsWhichJpegsAreDecoded) {
  Bytes twelve_bit = small_jpeg();
  const std::size_t frame = samples::find_marker(twelve_bit, 0xC0);
  twelve_bit[frame + 4] = std::byte{12};
  EXPECT_EQ(probe_all(twelve_bit).failure().fault, Fault::unsupported);
  Bytes lossless = small_jpeg();
  lossless[frame + 1] = std::byte{0xC3};
  EXPECT_EQ(probe_all(lossless).failure().fault, Fault::unsupported);
  const Bytes cmyk = samples::file_of(samples::picture({5, 9}, 4, Depth::u8), samples::Jpeg{.cmyk = true});
  ASSERT_TRUE(probe_all(cmyk));
  EXPECT_TRUE(probe_all(cmyk).value().cmyk);
  EXPECT_EQ(probe_all(cmyk).value().channels, 3);
}

TEST(Header, ReadsAFileAsItReadsMemory) {
  const Bytes far = small_png({png_chunk("iTXt", Bytes(300'000)), png_chunk("eXIf", samples::exif(6, true))});
  for (const Bytes& file : {small_png(), small_jpeg(), far, bytes_of("no image"), Bytes{}}) {
    const TemporaryFile on_disk{file};
    const ProbedFile probed = probe_file(on_disk.path());
    EXPECT_EQ(probed.bytes, file.size());
    EXPECT_GT(probed.mtime_ns, std::int64_t{1'600'000'000} * 1'000'000'000);
    const auto expected = probe_all(file);
    ASSERT_EQ(probed.header.ok(), expected.ok());
    if (expected.ok()) {
      EXPECT_EQ(probed.header.value(), expected.value());
    } else {
      EXPECT_EQ(probed.header.failure(), expected.failure());
    }
  }
}

TEST(Header, StepsOverMegabytesOfProfileBeforeThePixels) {
  Bytes file = samples::with_segment(small_jpeg(), samples::exif_segment(8));
  Bytes segment(65'537);
  segment[0] = std::byte{0xFF};
  segment[1] = std::byte{0xE2};
  segment[2] = segment[3] = std::byte{0xFF};
  for (int i = 0; i < 40; ++i) {
    file = samples::with_segment(file, segment);
  }
  const TemporaryFile on_disk{file};
  const ProbedFile probed = probe_file(on_disk.path());
  ASSERT_TRUE(probed.header) << probed.header.failure().detail;
  EXPECT_EQ(probed.header.value().orientation, 8);
}

TEST(Header, GivesUpOnAHeaderWithoutEnd) {
  const auto header = probe_all(small_png({png_chunk("iTXt", Bytes(header_limit_bytes))}));
  ASSERT_FALSE(header);
  EXPECT_EQ(header.failure().fault, Fault::unsupported);
}

/// Counts what is read; fails from `breaks_at` on.
class CountingReader final : public ByteReader {
 public:
  explicit CountingReader(std::span<const std::byte> bytes) : memory_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return memory_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    if (at >= breaks_at) {
      throw Error{"the archive is damaged"};
    }
    read += into.size();
    return memory_.read_at(at, into);
  }
  std::uint64_t breaks_at = std::uint64_t{1} << 40U;
  std::uint64_t read = 0;

 private:
  MemoryReader memory_;
};

TEST(Header, IsReadThroughAnyReaderOfBytes) {
  Bytes file = samples::with_segment(small_jpeg(), samples::exif_segment(8));
  file.resize(100'000);
  CountingReader reader{file};
  const auto header = probe(reader);
  ASSERT_TRUE(header) << header.failure().detail;
  EXPECT_EQ(header.value(), probe_all(file).value());
  EXPECT_LE(reader.read, 4096U);
  reader.breaks_at = 0;
  EXPECT_EQ(probe(reader).failure(), (Failure{Fault::unreadable, "the archive is damaged"}));
}

TEST(ProbeFile, WaitsForAProgramThatHasALeaseOnTheFile) {
  const TemporaryFile on_disk{small_png()};
  const testing::LeasedFile lease{on_disk.path()};
  if (!lease.held()) {
    GTEST_SKIP() << "no leases on this file system";
  }
  EXPECT_TRUE(probe_file(on_disk.path()).header);
}

TEST(Header, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(probe_file("/nonexistent/page.png").header.failure(),
            (Failure{Fault::unreadable, "cannot open it: No such file or directory"}));
  EXPECT_EQ(probe_file(::testing::TempDir()).header.failure().fault, Fault::unreadable);
  const std::string pipe = ::testing::TempDir() + "pantile_pipe_" + std::to_string(::getpid()) + ".png";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(probe_file(pipe).header.failure(), (Failure{Fault::unreadable, "it is not a regular file"}));
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace pantile
