#pragma once
// Behind decode.hpp: TIFF, whose first picture is read by libtiff, after our own look at its directory.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header_parts.hpp"
#include "image/image.hpp"

namespace pantile::detail {

/// What the samples of a pixel mean.
enum class TiffColour : std::uint8_t { black_is_zero, white_is_zero, rgb, palette, cmyk, ycbcr };
/// `associated`: the colours were multiplied with it.
enum class TiffAlpha : std::uint8_t { none, associated, unassociated };

/// What of the directory a decoder needs beyond an ImageHeader.
struct TiffLayout {
  ImageHeader header{};
  int samples = 1;  ///< of a pixel in the file; those that mean nothing to us come last
  TiffColour colour = TiffColour::black_is_zero;
  TiffAlpha alpha = TiffAlpha::none;
  bool planes = false;  ///< one sample of all pixels after the other, rather than pixel by pixel
};

[[nodiscard]] Result<TiffLayout> parse_tiff(Head& head);

/// Reads the pixels `part` of the stored image into `into`, which has its extent, and the header's channels and depth.
/// Reads of the file only what it needs. Throws std::bad_alloc. `most_bytes`: of the pixels that are coded together.
[[nodiscard]] std::optional<Failure> decode_tiff(ByteReader& file, const TiffLayout& layout, Rect part,
                                                 std::uint64_t most_bytes, Image& into);

/// Red, green, blue of each number.
using TiffPalette = std::vector<std::array<std::uint8_t, 3>>;

/// Turns `pixels` pixels, from number `first` of a row on, into ours at `to`. `rows`: the row of each plane, or one row
/// of whole pixels; packed below 8 bits, native-endian above.
void unpack_tiff(const TiffLayout& layout, const TiffPalette& palette, std::span<const std::byte* const> rows,
                 std::size_t first, std::size_t pixels, std::byte* to) noexcept;

}  // namespace pantile::detail
