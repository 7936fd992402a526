#pragma once
// Behind decode.hpp: one decoder a format.
//
// libjpeg and libpng leave their code by longjmp when an image is bad. A jump over a C++ object with a destructor is
// undefined, so each decoder keeps its whole state in one plain struct, and the functions between setjmp and the
// library have nothing but pointers and numbers. Memory is reserved, and errors become Failures, outside of them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "codec/decode.hpp"
#include "codec/row_reader.hpp"

namespace pantile::detail {

// Decode into `into`, which has the header's stored extent, channels and depth. Nothing if all went well; otherwise the
// pixels mean nothing. Throw only std::bad_alloc.

[[nodiscard]] std::optional<Failure> decode_webp(std::span<const std::byte> encoded, const ImageHeader& header,
                                                 Image& into);
[[nodiscard]] std::optional<Failure> decode_gif(std::span<const std::byte> encoded, Image& into);
[[nodiscard]] std::optional<Failure> decode_pnm(std::span<const std::byte> encoded, Image& into);
[[nodiscard]] std::optional<Failure> decode_bmp(std::span<const std::byte> encoded, Image& into);
[[nodiscard]] std::optional<Failure> decode_jpeg2000(std::span<const std::byte> encoded, const ImageHeader& header,
                                                     Image& into);

/// Of any PNG and JPEG; those whose rows do not come in order are read with one call.
[[nodiscard]] std::unique_ptr<RowReader> png_rows(ByteReader& file, const ImageHeader& header);
[[nodiscard]] std::unique_ptr<RowReader> jpeg_rows(ByteReader& file, const ImageHeader& header, int max_scans);

/// Of the pixels that a TIFF codes together: a small image in a huge tile is not worth the tile.
[[nodiscard]] std::uint64_t most_tile_bytes(const ImageHeader& header, const DecodeLimits& limits) noexcept;

/// By OpenCV's imgcodecs, whose module is opened now if it is not yet. Throws MissingModule if it cannot be. OpenCV
/// decodes what is there of a cut file and says nothing: the caller has looked at its length.
[[nodiscard]] std::optional<Failure> decode_with_opencv(std::span<const std::byte> encoded, const ImageHeader& header,
                                                        Image& into);

/// The image as a person sees it, given as stored and its EXIF orientation, 1 to 8.
[[nodiscard]] Image turned(Image stored, int orientation);

}  // namespace pantile::detail
