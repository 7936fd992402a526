#include <fmt/format.h>

#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

using namespace std::string_view_literals;

Failure unread(std::string_view what) {
  return {Fault::unsupported, fmt::format("{} is not read by this version. Convert it to PNG", what)};
}

}  // namespace

Result<ImageHeader> parse_sun_raster_header(Head& head) {
  constexpr std::size_t fixed_bytes = 32;
  const ByteView start = head.view(0, fixed_bytes);
  if (start.size() < fixed_bytes) {
    return head.why_short();
  }
  const std::uint32_t depth = start.be32(12);
  const std::uint32_t type = start.be32(20);
  const std::uint32_t map_type = start.be32(24);
  const std::uint32_t map_bytes = start.be32(28);
  ImageHeader header{.format = ImageFormat::sun_raster, .channels = 3, .bits = 8, .palette = depth == 8};
  if (auto failure = set_extent(header, start.be32(8), start.be32(4), "Sun raster")) {
    return std::move(*failure);
  }
  if (type > 3 || type == 2) {
    return unread("Sun raster with run lengths");
  }
  // OpenCV paints 8 bits without a map of colours black.
  const bool mapped = depth == 8 && map_type == 1 && map_bytes > 0 && map_bytes <= 768 && map_bytes % 3 == 0;
  // Of 32 bits decoders disagree whether the first or the last byte means nothing.
  const bool direct = depth == 24 && map_bytes == 0;
  if (!mapped && !direct) {
    return unread(fmt::format("Sun raster with {} bits a pixel and {} bytes of colours", depth, map_bytes));
  }
  const std::uint64_t row_bytes = (std::uint64_t{start.be32(4)} * depth + 15) / 16 * 2;
  if (auto failure = missing_rows(header, "Sun raster", fixed_bytes + map_bytes, row_bytes, head.file_bytes())) {
    return std::move(*failure);
  }
  return header;
}

}  // namespace pantile::detail
