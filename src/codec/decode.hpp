#pragma once
// Encoded bytes to pixels, strictly: an image whose coded pixel data is incomplete or damaged is a Failure, never grey
// rows.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "base/error.hpp"
#include "base/result.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header.hpp"
#include "image/image.hpp"

namespace pantile {

/// The gate before any decode. A few kilobytes can ask for gigabytes: facts of the header decide, not the decoder.
struct DecodeLimits {
  std::uint64_t max_file_bytes = std::uint64_t{256} << 20U;        ///< of files that are decoded whole
  std::uint64_t max_region_file_bytes = std::uint64_t{64} << 30U;  ///< of files of which regions can be decoded
  std::int64_t max_pixels = std::int64_t{1} << 28U;                ///< 268 MP; of images that are decoded whole
  std::int64_t max_region_pixels = std::int64_t{1} << 32U;         ///< 4 GP; of images of which regions can be decoded
  int max_side_px = 65'500;  ///< what libjpeg reads; of images that are decoded whole
  std::uint64_t max_decoded_bytes = std::uint64_t{1} << 30U;
  std::uint64_t max_ratio = 1'000;              ///< decoded bytes for each byte of the file …
  std::int64_t ratio_free_pixels = 64'000'000;  ///< … asked only of images with more pixels than this
  int max_scans = 100;                          ///< of a progressive JPEG
};

/// libpantile_imgcodecs.so, which BMP, Sun raster and JPEG 2000 need, cannot be opened: not the file is bad, but this
/// machine.
struct MissingModule : Error {
  using Error::Error;
};

/// Opens that library as decode() does, if it is not open yet, and says where it is. Thread safe. Throws MissingModule.
[[nodiscard]] std::filesystem::path open_imgcodecs();

/// True if decode_region() reads less than the whole file for a part of the image: TIFF in tiles or strips of a sane
/// size.
[[nodiscard]] bool reads_regions(const ImageHeader& header) noexcept;

/// Why the gate refuses an image (Fault::too_large), or nothing. Pure: the planner may ask it of catalog facts. An
/// image that is too large to be decoded whole is not refused if its regions can be read.
[[nodiscard]] std::optional<Failure> refusal(const ImageHeader& header, std::uint64_t file_bytes,
                                             const DecodeLimits& limits);
/// Why decode() would refuse it, which has only whole images: ask it to know which way to go.
[[nodiscard]] std::optional<Failure> refusal_of_whole(const ImageHeader& header, std::uint64_t file_bytes,
                                                      const DecodeLimits& limits);

/// Most memory that decode() takes beyond the encoded bytes and the image that it returns, by format: coefficients of a
/// progressive JPEG, planes of libwebp, a tile of libtiff, an image before it is turned. Of decode_region() too, but
/// for the turning. An upper bound with a slack of some hundred KiB.
[[nodiscard]] std::uint64_t decode_overhead_bytes(const ImageHeader& header) noexcept;

/// Decodes a whole image file and applies its EXIF orientation: extent() is the header's `oriented`. docs/formats.md
/// has the formats, and what each lets pass.
///
/// Channels: grey 1, grey with alpha 2, RGB 3, RGB with alpha 4; palettes and CMYK become RGB, a transparent colour
/// becomes alpha. Samples: u8 (fewer bits are widened, so that white is 255), or u16 native-endian where the file has
/// 16 bits. JPEG by libjpeg-turbo's accurate integer DCT and fancy upsampling. Gamma and colour profiles are not
/// applied. Of several pictures in a file the first is read. What belongs to no pixel (text, profiles, bytes after the
/// end) never makes an image fail.
///
/// Faults: not_an_image, unsupported, truncated, corrupt, too_large. Thread safe. Throws std::bad_alloc; MissingModule
/// for BMP, Sun raster and JPEG 2000, if their library cannot be opened.
[[nodiscard]] Result<Image> decode(std::span<const std::byte> encoded, const DecodeLimits& limits = {});

/// Decodes the part `stored_part` of an image, in pixels as they are stored (see stored_rect()), and reads of the file
/// only the tiles that it needs. The result is not turned yet (see upright()). `header` is the file's own; Fault::
/// changed if it is not. Fault::unreadable if `file` throws Error. Otherwise as decode(). Preconditions:
/// reads_regions(header); the part is not empty, and lies in header.stored.
[[nodiscard]] Result<Image> decode_region(ByteReader& file, const ImageHeader& header, Rect stored_part,
                                          const DecodeLimits& limits = {});

/// Where the part `seen` of the upright image is stored. Precondition: it lies in header.oriented.
[[nodiscard]] Rect stored_rect(const ImageHeader& header, Rect seen) noexcept;
/// Turns a part of the stored image as the header's orientation asks.
[[nodiscard]] Image upright(Image stored_part, const ImageHeader& header);

}  // namespace pantile
