#include "codec/decode.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "codec/decoders.hpp"

namespace pantile {

std::optional<Failure> refusal(const ImageHeader& header, std::uint64_t file_bytes, const DecodeLimits& limits) {
  const auto too_large = [](std::string detail) { return Failure{Fault::too_large, std::move(detail)}; };
  if (file_bytes > limits.max_file_bytes) {
    return too_large(fmt::format("the file has {}, the limit is {}", format_byte_size(file_bytes),
                                 format_byte_size(limits.max_file_bytes)));
  }
  const Extent extent = header.stored;
  if (std::max(extent.height, extent.width) > limits.max_side_px) {
    return too_large(
        fmt::format("the image is {} pixels, the limit is {} a side", to_string(extent), limits.max_side_px));
  }
  if (extent.area() > limits.max_pixels) {
    return too_large(fmt::format("the image is {} pixels, {:.0f} million; the limit is {:.0f} million",
                                 to_string(extent), static_cast<double>(extent.area()) / 1e6,
                                 static_cast<double>(limits.max_pixels) / 1e6));
  }
  const std::uint64_t bytes = decoded_bytes(header);
  if (bytes > limits.max_decoded_bytes) {
    return too_large(fmt::format("the image takes {} decoded, the limit is {}", format_byte_size(bytes),
                                 format_byte_size(limits.max_decoded_bytes)));
  }
  const std::uint64_t ratio = bytes / std::max<std::uint64_t>(file_bytes, 1);
  if (extent.area() > limits.ratio_free_pixels && ratio > limits.max_ratio) {
    return too_large(fmt::format("the image is {} times as large as its file, the limit is {}: a decompression bomb?",
                                 ratio, limits.max_ratio));
  }
  return {};
}

Result<Image> decode(std::span<const std::byte> encoded, const DecodeLimits& limits) {
  const Result<ImageHeader> probed = probe(encoded, encoded.size());
  if (!probed) {
    return probed.failure();
  }
  const ImageHeader& header = probed.value();
  if (auto refused = refusal(header, encoded.size(), limits)) {
    return std::move(*refused);
  }
  Image image{header.stored, header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
  auto failure = header.format == ImageFormat::png ? detail::decode_png(encoded, header, image)
                                                   : detail::decode_jpeg(encoded, header, limits.max_scans, image);
  if (failure) {
    return std::move(*failure);
  }
  return detail::turned(std::move(image), header.orientation);
}

}  // namespace pantile
