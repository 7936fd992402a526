#pragma once
// What an image file says about itself, read by our own parsers from its first bytes, without a decoder.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/extent.hpp"
#include "base/result.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header_facts.hpp"

namespace pantile {

/// The numbers enter the catalog and its digest: never change one, only add.
enum class ImageFormat : std::uint8_t {
  unknown = 0,
  png = 1,
  jpeg = 2,
  webp = 3,
  tiff = 4,
  bmp = 5,
  gif = 6,
  pnm = 7,         ///< PBM, PGM, PPM
  pam = 8,         ///< PAM, the youngest of that family
  sun_raster = 9,  ///< Sun raster
  jpeg2000 = 10
};

/// The stable, lower-case name: "png".
[[nodiscard]] std::string_view name(ImageFormat format) noexcept;

struct ImageHeader {
  ImageFormat format = ImageFormat::unknown;
  Extent stored{};           ///< as the pixels lie in the file
  Extent oriented{};         ///< as a person sees it: after the EXIF orientation. What everybody but the decoder means
  int channels = 0;          ///< of the decoded image, alpha included: 1 to 4
  int bits = 0;              ///< of one stored sample: 1, 2, 4, 8 or 16 (a palette: of its colours, 8)
  int orientation = 1;       ///< EXIF: 1 to 8; 1 if there is none or it makes no sense
  bool progressive = false;  ///< JPEG in several scans
  bool interlaced = false;   ///< PNG, Adam7; GIF
  bool has_alpha = false;    ///< an alpha channel, or a transparent colour
  bool cmyk = false;         ///< stored as four inks, decoded as RGB
  bool palette = false;      ///< stored as numbers of colours, decoded as RGB
  bool lossless = false;     ///< WebP: in its lossless form
  bool animated = false;     ///< WebP: of its pictures the first is decoded
  /// TIFF: pixels that are coded together, and so must be decoded together; empty where that is the whole image. A
  /// strip is a tile as wide as the image. Tiles at the edges may reach beyond it.
  Extent tile{};
  int samples = 0;  ///< TIFF: of one stored pixel
  bool operator==(const ImageHeader&) const = default;
};

[[nodiscard]] constexpr HeaderFacts facts_of(const ImageHeader& header) noexcept {
  return {header.oriented, header.orientation, header.channels, header.bits};
}

/// Bytes of the image that decode() gives: 1 or 2 a sample.
[[nodiscard]] constexpr std::uint64_t decoded_bytes(const ImageHeader& header) noexcept {
  return static_cast<std::uint64_t>(header.stored.area()) * static_cast<std::uint64_t>(header.channels) *
         (header.bits == 16 ? 2 : 1);
}

/// A header that goes on beyond this many bytes from the start of a file is Fault::unsupported. Portrait photos may
/// have some megabytes of depth map before the pixels. Not for TIFF and WebP, where what matters may be at the end.
inline constexpr std::size_t header_limit_bytes = std::size_t{16} << 20U;

/// Reads the header from the beginning of a file of `file_bytes` bytes. `head` should reach to where the pixels begin
/// (TIFF and WebP: be the whole file).
/// Never reads outside `head`, whatever its bytes. Faults: not_an_image, unsupported (also: `head` is too short),
/// truncated (the file is), corrupt.
[[nodiscard]] Result<ImageHeader> probe(std::span<const std::byte> head, std::uint64_t file_bytes);

/// The same of a file that is read as it is needed: a member of an archive, say. Fault::unreadable with the text of the
/// Error if reading fails. Throws only std::bad_alloc.
[[nodiscard]] Result<ImageHeader> probe(ByteReader& file);

/// A file as the catalog sees it.
struct ProbedFile {
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;  ///< since 1970
  Result<ImageHeader> header;
};

/// Probes a file with one read of 4 KiB, and more only where the header goes on; long profiles are stepped over.
/// Fault::unreadable if it cannot be opened or read, or is no regular file. Throws only std::bad_alloc.
[[nodiscard]] ProbedFile probe_file(const std::filesystem::path& path);

}  // namespace pantile
