#include "codec/decode.hpp"

#include "base/error.hpp"
#include "codec/decoders.hpp"
#include "codec/row_reader.hpp"
#include "codec/tiff.hpp"

namespace pantile {
namespace {

Image image_for(const ImageHeader& header, Extent extent) {
  return {extent, header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
}

std::optional<Failure> decode_tiff(ByteReader& file, const ImageHeader& header, Rect part, const DecodeLimits& limits,
                                   Image& into) {
  detail::Head head{file};
  const Result<detail::TiffLayout> layout = detail::parse_tiff(head);
  if (!layout) {
    return layout.failure();
  }
  if (layout.value().header != header) {
    return Failure{Fault::changed, "the file is not the one it was: its header says something else"};
  }
  return detail::decode_tiff(file, layout.value(), part, detail::most_tile_bytes(header, limits), into);
}

std::unique_ptr<RowReader> rows_of(ByteReader& file, const ImageHeader& header, const DecodeLimits& limits) {
  return header.format == ImageFormat::png ? detail::png_rows(file, header)
                                           : detail::jpeg_rows(file, header, limits.max_scans);
}

std::optional<Failure> decode_into(std::span<const std::byte> encoded, const ImageHeader& header,
                                   const DecodeLimits& limits, Image& into) {
  switch (header.format) {
    case ImageFormat::png:
    case ImageFormat::jpeg: {
      MemoryReader file{encoded};
      return rows_of(file, header, limits)->read(into.bytes());
    }
    case ImageFormat::webp: return detail::decode_webp(encoded, header, into);
    case ImageFormat::gif: return detail::decode_gif(encoded, into);
    case ImageFormat::pnm:
    case ImageFormat::pam: return detail::decode_pnm(encoded, into);
    case ImageFormat::bmp: return detail::decode_bmp(encoded, into);
    case ImageFormat::sun_raster: return detail::decode_with_opencv(encoded, header, into);
    case ImageFormat::jpeg2000: return detail::decode_jpeg2000(encoded, header, into);
    case ImageFormat::tiff: {
      MemoryReader file{encoded};
      return decode_tiff(file, header, whole(header.stored), limits, into);
    }
    case ImageFormat::unknown: break;
  }
  expect(false, "a header that was probed has a format");
  return {};
}

}  // namespace

Result<Image> decode(std::span<const std::byte> encoded, const DecodeLimits& limits) {
  const Result<ImageHeader> probed = probe(encoded, encoded.size());
  if (!probed) {
    return probed.failure();
  }
  const ImageHeader& header = probed.value();
  if (auto refused = refusal_of_whole(header, encoded.size(), limits)) {
    return std::move(*refused);
  }
  Image image = image_for(header, header.stored);
  if (auto failure = decode_into(encoded, header, limits, image)) {
    return std::move(*failure);
  }
  return upright(std::move(image), header);
}

Result<Image> decode_region(ByteReader& file, const ImageHeader& header, Rect stored_part, const DecodeLimits& limits) {
  expect(reads_regions(header), "regions are read only of images that allow it");
  expect(!stored_part.empty() && whole(header.stored).contains(stored_part), "the region lies in the image");
  ImageHeader region = header;
  region.stored = stored_part.extent();
  if (decoded_bytes(region) > limits.max_decoded_bytes) {
    return Failure{Fault::too_large, "the region takes more memory than the limit of a whole image"};
  }
  Image image = image_for(header, stored_part.extent());
  try {
    if (auto failure = decode_tiff(file, header, stored_part, limits, image)) {
      return std::move(*failure);
    }
  } catch (const Error& error) {
    return Failure{Fault::unreadable, error.what()};
  }
  return image;
}

std::unique_ptr<RowReader> read_rows(ByteReader& file, const ImageHeader& header, const DecodeLimits& limits) {
  expect(reads_rows(header), "the rows of this image come in order");
  return rows_of(file, header, limits);
}

Rect stored_rect(const ImageHeader& header, Rect seen) noexcept {
  const Extent image = header.oriented;
  const int from_bottom = image.height - seen.bottom();
  const int from_right = image.width - seen.right();
  switch (header.orientation) {
    case 2: return {seen.y, from_right, seen.height, seen.width};
    case 3: return {from_bottom, from_right, seen.height, seen.width};
    case 4: return {from_bottom, seen.x, seen.height, seen.width};
    case 5: return {seen.x, seen.y, seen.width, seen.height};
    case 6: return {from_right, seen.y, seen.width, seen.height};
    case 7: return {from_right, from_bottom, seen.width, seen.height};
    case 8: return {seen.x, from_bottom, seen.width, seen.height};
    default: return seen;
  }
}

Image upright(Image stored_part, const ImageHeader& header) {
  return detail::turned(std::move(stored_part), header.orientation);
}

}  // namespace pantile
