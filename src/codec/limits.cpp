#include <fmt/format.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "codec/decode.hpp"
#include "codec/decoders.hpp"
#include "codec/row_reader.hpp"

namespace pantile {
namespace {

Failure too_large(std::string detail) { return {Fault::too_large, std::move(detail)}; }

Failure too_large_file(std::uint64_t bytes, std::uint64_t limit) {
  return too_large(fmt::format("the file has {}, the limit is {}", format_byte_size(bytes), format_byte_size(limit)));
}

std::optional<Failure> too_many_pixels(const ImageHeader& header, std::int64_t limit) {
  if (header.stored.area() <= limit) {
    return {};
  }
  return too_large(fmt::format("the image is {} pixels, {:.0f} million; the limit is {:.0f} million",
                               to_string(header.stored), static_cast<double>(header.stored.area()) / 1e6,
                               static_cast<double>(limit) / 1e6));
}

std::optional<Failure> too_dense(const ImageHeader& header, std::uint64_t file_bytes, const DecodeLimits& limits) {
  const std::uint64_t ratio = decoded_bytes(header) / std::max<std::uint64_t>(file_bytes, 1);
  if (header.stored.area() <= limits.ratio_free_pixels || ratio <= limits.max_ratio) {
    return {};
  }
  return too_large(fmt::format("the image is {} times as large as its file, the limit is {}: a decompression bomb?",
                               ratio, limits.max_ratio));
}

/// A TIFF may code together far more pixels than it has.
std::optional<Failure> too_large_tile(const ImageHeader& header, const DecodeLimits& limits) {
  if (header.tile.empty()) {
    return {};
  }
  const std::uint64_t pixel_bits = static_cast<std::uint64_t>(header.samples) * static_cast<std::uint64_t>(header.bits);
  const std::uint64_t row_bytes = (static_cast<std::uint64_t>(header.tile.width) * pixel_bits + 7) / 8;
  const std::uint64_t most = detail::most_tile_bytes(header, limits);
  // Divided: the product may be more than 64 bits hold.
  if (row_bytes <= most / static_cast<std::uint64_t>(header.tile.height)) {
    return {};
  }
  return too_large(
      fmt::format("the image of {} pixels is coded in tiles or strips of {}, each of which must be decoded as one; "
                  "the limit for this image is {}",
                  to_string(header.stored), to_string(header.tile), format_byte_size(most)));
}

/// Of pixels that are as wide as those in memory; a row more, for what is rounded up.
std::uint64_t rows_of(const ImageHeader& header, std::uint64_t rows, std::uint64_t bytes_per_pixel) noexcept {
  return rows * static_cast<std::uint64_t>(header.stored.width) * bytes_per_pixel;
}

std::uint64_t overhead_of_jpeg(const ImageHeader& header) noexcept {
  const std::uint64_t components = header.cmyk ? 4 : static_cast<std::uint64_t>(header.channels);
  // Rows of blocks before and after upsampling, in one scan; every coefficient, in two bytes, of several.
  std::uint64_t bytes = rows_of(header, 64, components);
  if (header.progressive) {
    const auto whole_blocks = [](int side) { return (static_cast<std::uint64_t>(side) + 31) / 32 * 32; };
    bytes += 2 * components * whole_blocks(header.stored.height) * whole_blocks(header.stored.width);
  }
  return bytes;
}

std::uint64_t overhead_of_webp(const ImageHeader& header) noexcept {
  const auto area = static_cast<std::uint64_t>(header.stored.area());
  // libwebp: two canvases and a frame of four bytes each, and the frame's alpha, for an animation; the pixels for a
  // lossless image; the alpha, which may be coded like a lossless image, for a lossy one.
  const std::uint64_t per_pixel = header.animated ? 17 : (header.lossless ? 4 : (header.has_alpha ? 5 : 0));
  return area * per_pixel + rows_of(header, 64, 4);
}

std::uint64_t overhead_of_tiff(const ImageHeader& header) noexcept {
  const auto bits = static_cast<std::uint64_t>(header.samples) * static_cast<std::uint64_t>(header.bits);
  // What is coded together, decoded; and as it is in the file, which is seldom larger, where that is not in memory.
  return 2 *
         (static_cast<std::uint64_t>(header.tile.area()) * bits / 8 + static_cast<std::uint64_t>(header.tile.height));
}

}  // namespace

bool reads_regions(const ImageHeader& header) noexcept {
  constexpr std::int64_t sane_tile_px = 1 << 24;
  return header.format == ImageFormat::tiff && !header.tile.empty() && header.tile.area() <= sane_tile_px &&
         header.tile.area() < header.stored.area();
}

bool reads_rows(const ImageHeader& header) noexcept {
  const bool in_order = (header.format == ImageFormat::png && !header.interlaced) ||
                        (header.format == ImageFormat::jpeg && !header.progressive);
  return in_order && header.orientation == 1;
}

std::optional<Failure> refusal_of_whole(const ImageHeader& header, std::uint64_t file_bytes,
                                        const DecodeLimits& limits) {
  if (file_bytes > limits.max_file_bytes) {
    return too_large_file(file_bytes, limits.max_file_bytes);
  }
  if (std::max(header.stored.height, header.stored.width) > limits.max_side_px) {
    return too_large(
        fmt::format("the image is {} pixels, the limit is {} a side", to_string(header.stored), limits.max_side_px));
  }
  if (auto failure = too_many_pixels(header, limits.max_pixels)) {
    return failure;
  }
  const std::uint64_t bytes = decoded_bytes(header);
  if (bytes > limits.max_decoded_bytes) {
    return too_large(fmt::format("the image takes {} decoded, the limit is {}", format_byte_size(bytes),
                                 format_byte_size(limits.max_decoded_bytes)));
  }
  if (auto failure = too_large_tile(header, limits)) {
    return failure;
  }
  return too_dense(header, file_bytes, limits);
}

std::optional<Failure> refusal(const ImageHeader& header, std::uint64_t file_bytes, const DecodeLimits& limits) {
  auto whole = refusal_of_whole(header, file_bytes, limits);
  if (!whole || !(reads_regions(header) || reads_rows(header))) {
    return whole;
  }
  if (file_bytes > limits.max_region_file_bytes) {
    return too_large_file(file_bytes, limits.max_region_file_bytes);
  }
  if (auto failure = too_many_pixels(header, limits.max_region_pixels)) {
    return failure;
  }
  if (auto failure = too_large_tile(header, limits)) {
    return failure;
  }
  return too_dense(header, file_bytes, limits);
}

std::uint64_t detail::most_tile_bytes(const ImageHeader& header, const DecodeLimits& limits) noexcept {
  constexpr std::uint64_t always = std::uint64_t{64} << 20U;
  return std::min(limits.max_decoded_bytes, std::max(always, 4 * decoded_bytes(header)));
}

std::uint64_t decode_overhead_bytes(const ImageHeader& header) noexcept {
  constexpr std::uint64_t fixed = std::uint64_t{256} << 10U;  // Tables, a stream of zlib.
  const std::uint64_t turning = header.orientation == 1 ? 0 : decoded_bytes(header);
  const auto by_format = [&]() -> std::uint64_t {
    switch (header.format) {
      case ImageFormat::jpeg: return overhead_of_jpeg(header);
      case ImageFormat::webp: return overhead_of_webp(header);
      case ImageFormat::tiff: return overhead_of_tiff(header);
      // OpenJPEG: 32 bits a sample, of its tile and of the image, and coefficients of the wavelets.
      case ImageFormat::jpeg2000:
        return static_cast<std::uint64_t>(header.stored.area()) * static_cast<std::uint64_t>(header.channels) * 12;
      // The others are decoded in place, row by row.
      default: return rows_of(header, 4, 8);
    }
  };
  return fixed + by_format() + turning;
}

}  // namespace pantile
