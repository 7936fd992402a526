#pragma once
// Encoded bytes to pixels, strictly: an image whose coded pixel data is incomplete or damaged is a Failure, never grey
// rows.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "codec/header.hpp"
#include "image/image.hpp"

namespace pantile {

/// The gate before any decode. A few kilobytes can ask for gigabytes: facts of the header decide, not the decoder.
struct DecodeLimits {
  std::uint64_t max_file_bytes = std::uint64_t{256} << 20U;
  std::int64_t max_pixels = std::int64_t{1} << 28U;  ///< 268 MP
  int max_side_px = 65'500;                          ///< what libjpeg reads
  std::uint64_t max_decoded_bytes = std::uint64_t{1} << 30U;
  std::uint64_t max_ratio = 1'000;              ///< decoded bytes for each byte of the file …
  std::int64_t ratio_free_pixels = 64'000'000;  ///< … asked only of images with more pixels than this
  int max_scans = 100;                          ///< of a progressive JPEG
};

/// Why the gate refuses an image (Fault::too_large), or nothing. Pure: the planner may ask it of catalog facts.
[[nodiscard]] std::optional<Failure> refusal(const ImageHeader& header, std::uint64_t file_bytes,
                                             const DecodeLimits& limits);

/// Decodes a whole PNG or JPEG file and applies its EXIF orientation: extent() is the header's `oriented`.
///
/// Channels: grey 1, grey with alpha 2, RGB 3, RGB with alpha 4; palettes become RGB, a transparent colour becomes
/// alpha. Samples: u8 (1, 2 and 4 bit are widened, so that white is 255), or u16 native-endian where the file has 16
/// bits. JPEG by libjpeg-turbo's accurate integer DCT and fancy upsampling. Gamma and colour profiles are not applied.
/// What belongs to no pixel (text, profiles, bytes after the end) never makes an image fail.
///
/// Faults: not_an_image, unsupported (CMYK, 12 bits, other formats), truncated, corrupt, too_large. A flipped bit in
/// JPEG data may go unseen: the format has no checksum. Peak memory: the image, twice if it is turned; a progressive
/// JPEG two bytes a sample more. Thread safe. Throws only std::bad_alloc.
[[nodiscard]] Result<Image> decode(std::span<const std::byte> encoded, const DecodeLimits& limits = {});

}  // namespace pantile
