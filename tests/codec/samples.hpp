#pragma once
// Small image files made in code, flawed as a test wants them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.hpp"
#include "image/image.hpp"

namespace pantile::samples {

/// Noise over a gradient: nothing in it repeats, so that a pixel in the wrong place is seen.
[[nodiscard]] Image picture(Extent extent, int channels, Depth depth, std::uint64_t seed = 1);

[[nodiscard]] bool same_pixels(const Image& a, const Image& b);

/// A PNG file put together by hand, independent of libpng.
struct Png {
  Extent extent;
  int bits = 8;
  int colour = 0;  ///< IHDR's colour type
  bool interlaced = false;
  std::vector<Bytes> chunks = {};  ///< between IHDR and IDAT
  /// Sample of the stored image: channels by colour type, 0 … 2^bits − 1; big numbers are cut to their bits.
  std::uint32_t (*sample)(int y, int x, int channel) = nullptr;
  std::size_t idat_bytes = std::size_t{1} << 30U;  ///< most bytes in one IDAT chunk
};
[[nodiscard]] Bytes file_of(const Png& png);
/// With length and checksum.
[[nodiscard]] Bytes png_chunk(std::string_view name, std::span<const std::byte> payload);
/// zlib's stream of the bytes.
[[nodiscard]] Bytes deflated(std::span<const std::byte> bytes);
/// Puts `inserted` before the first chunk that is called `name`.
[[nodiscard]] Bytes with_chunk_before(std::span<const std::byte> png, std::string_view name,
                                      std::span<const std::byte> inserted);

struct Jpeg {
  int quality = 80;
  bool progressive = false;
  bool one_scan_per_component = false;
  int restart_rows = 0;  ///< a restart marker behind every so many rows of blocks; 0: none
  bool cmyk = false;     ///< the picture has four channels, and they are ink
};
[[nodiscard]] Bytes file_of(const Image& picture, const Jpeg& jpeg);
/// Puts `segment` (marker and length included) behind the SOI marker.
[[nodiscard]] Bytes with_segment(std::span<const std::byte> jpeg, std::span<const std::byte> segment);
/// Where the marker 0xFF `code` is for the nth time, 0 for the first; the size of the file if it is not.
[[nodiscard]] std::size_t find_marker(std::span<const std::byte> jpeg, unsigned code, int nth = 0);

struct Tiff {
  bool big_endian = false;
  bool big_offsets = false;  ///< BigTIFF
  Extent tile{};             ///< empty: strips
  int rows_per_strip = 8;
  int compression = 1;
  int photometric = -1;  ///< by the channels: grey or RGB
  bool planes = false;
  int orientation = 1;
};
/// By libtiff. Two and four channels have an alpha that nothing was multiplied with.
[[nodiscard]] Bytes file_of(const Image& picture, const Tiff& facts);

struct Webp {
  bool lossless = false;
  int orientation = 0;  ///< 0: no EXIF
  int frames = 0;       ///< of an animation, which shows the same picture all the time; 0: none
};
/// By libwebp, in the simple form unless EXIF or an animation needs the extended one. Three or four channels.
[[nodiscard]] Bytes file_of(const Image& picture, const Webp& facts);
/// With length and padding.
[[nodiscard]] Bytes webp_chunk(std::string_view name, std::span<const std::byte> payload);

struct Gif {
  Extent screen;
  Rect place;            ///< of the picture
  int transparent = -1;  ///< number of a colour
  bool interlaced = false;
};
/// By giflib: colour i of 16 is (16 i, 255 − 3 i, i²), and the pixel at row y, column x of the picture has
/// gif_colour().
[[nodiscard]] Bytes file_of(const Gif& gif);
[[nodiscard]] constexpr int gif_colour(int y, int x) noexcept { return (y * 7 + x * 3 + x * y % 5) % 16; }

struct Bmp {
  bool top_down = false;
};
/// Of three channels; 24 bits a pixel.
[[nodiscard]] Bytes file_of(const Image& picture, const Bmp& facts);

/// A TIFF structure with one tag, the orientation.
[[nodiscard]] Bytes exif(unsigned orientation, bool little_endian);
/// The same as an APP1 segment.
[[nodiscard]] Bytes exif_segment(unsigned orientation, bool little_endian = true);

[[nodiscard]] Bytes from_hex(std::string_view hex);
[[nodiscard]] Bytes bytes_of(std::string_view text);
[[nodiscard]] Bytes joined(std::initializer_list<std::span<const std::byte>> parts);

}  // namespace pantile::samples
