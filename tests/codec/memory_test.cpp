// What decoders take beyond what they give, measured: a caller charges decode_overhead_bytes() before it decodes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <tiff.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.hpp"
#include "codec/decode.hpp"
#include "codec/samples.hpp"

namespace pantile {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;

/// A line of /proc/self/status, in bytes.
std::int64_t status_bytes(const std::string& name) {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    if (word == name + ":") {
      std::int64_t value = 0;
      status >> value;
      return value * kib;
    }
  }
  return -1;
}

/// How far the memory of a process rises above where it was while it decodes `file`, in a process of its own; −1 if it
/// cannot be measured.
std::int64_t peak_of_decoding(const Bytes& file) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) {
    return -1;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::malloc_trim(0);
    std::int64_t rise = -1;
    if (std::ofstream reset{"/proc/self/clear_refs"}; reset << '5' << std::flush) {
      const std::int64_t before = status_bytes("VmRSS");
      (void)decode(file);
      rise = status_bytes("VmHWM") - before;
    }
    const bool told = ::write(pipe_ends[1], &rise, sizeof rise) == sizeof rise;
    ::_exit(told ? 0 : 1);
  }
  std::int64_t rise = -1;
  const bool heard = ::read(pipe_ends[0], &rise, sizeof rise) == sizeof rise;
  ::waitpid(child, nullptr, 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  return heard ? rise : -1;
}

TEST(Memory, DecodersTakeNoMoreThanIsSaid) {
  if (sanitized) {
    GTEST_SKIP() << "a sanitizer's own memory cannot be told apart";
  }
  const Image colour = samples::picture({1100, 1700}, 3, Depth::u8);
  const Image clear = samples::picture({1100, 1700}, 4, Depth::u8);
  const Image inks = samples::picture({1100, 1700}, 4, Depth::u8, 2);
  const struct {
    const char* what;
    Bytes file;
  } files[] = {
      {"baseline JPEG", samples::file_of(colour, samples::Jpeg{})},
      {"progressive JPEG", samples::file_of(colour, samples::Jpeg{.progressive = true})},
      {"JPEG in three scans", samples::file_of(colour, samples::Jpeg{.one_scan_per_component = true})},
      {"CMYK JPEG", samples::file_of(inks, samples::Jpeg{.cmyk = true})},
      {"turned JPEG", samples::with_segment(samples::file_of(colour, samples::Jpeg{}), samples::exif_segment(6))},
      {"WebP", samples::file_of(colour, samples::Webp{})},
      {"WebP with alpha", samples::file_of(clear, samples::Webp{})},
      {"lossless WebP", samples::file_of(clear, samples::Webp{.lossless = true})},
      {"animated WebP", samples::file_of(clear, samples::Webp{.frames = 2})},
      {"TIFF in one strip",
       samples::file_of(colour, samples::Tiff{.rows_per_strip = 1100, .compression = COMPRESSION_LZW})},
      {"TIFF in tiles",
       samples::file_of(clear, samples::Tiff{.tile = {512, 512}, .compression = COMPRESSION_ADOBE_DEFLATE})},
      {"TIFF in planes", samples::file_of(colour, samples::Tiff{.rows_per_strip = 1100, .planes = true})},
      {"GIF", samples::file_of(samples::Gif{.screen = {1100, 1700}, .place = {0, 0, 1100, 1700}})},
  };
  for (const auto& [what, file] : files) {
    const ImageHeader header = probe(file, file.size()).value();
    const auto image = static_cast<std::int64_t>(decoded_bytes(header));
    const auto said = static_cast<std::int64_t>(decode_overhead_bytes(header));
    const std::int64_t rise = peak_of_decoding(file);
    if (rise < 0) {
      GTEST_SKIP() << "the peak of a process cannot be measured here";
    }
    RecordProperty(what, static_cast<int>((rise - image) / kib));
    EXPECT_LE(rise, image + said + mib) << what << ": " << (rise - image) / kib << " KiB beyond the image, said "
                                        << said / kib;
    EXPECT_GE(rise, image + said / 2 - mib)
        << what << ": too much is said, " << said / kib << " KiB, and only " << (rise - image) / kib << " are taken";
  }
}

TEST(Memory, BombsCostNothing) {
  const char* const folder = std::getenv("PANTILE_TEST_DATA");
  const std::filesystem::path images =
      std::filesystem::path{folder != nullptr ? folder : PANTILE_TEST_DATA_DEFAULT} / "images";
  if (!std::filesystem::exists(images) || sanitized) {
    GTEST_SKIP() << "no images at " << images << " (set PANTILE_TEST_DATA), or a sanitizer";
  }
  for (const char* const bomb : {"bomb-280mp-grey.jpg", "text-bomb.png", "bomb.gif", "oom.tif"}) {
    EXPECT_LE(peak_of_decoding(read_file(images / "corrupt" / bomb)), 2 * mib) << bomb;
  }
}

}  // namespace
}  // namespace pantile
