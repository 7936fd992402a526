#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

constexpr std::size_t signature_bytes = 8;
constexpr std::size_t chunk_overhead_bytes = 12;  // Length, name, checksum.
constexpr std::size_t ihdr_bytes = 13;

constexpr std::uint32_t chunk_name(const char (&text)[5]) noexcept {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i) {
    code = code << 8U | static_cast<std::uint8_t>(text[i]);
  }
  return code;
}

struct ColourType {
  int channels;
  std::uint32_t depths;  ///< bit n: n bits a sample are allowed
};

constexpr std::uint32_t bit(int depth) noexcept { return 1U << static_cast<unsigned>(depth); }

/// By IHDR's colour type; types 1 and 5 do not exist.
constexpr std::array<ColourType, 7> colour_types{{{1, bit(1) | bit(2) | bit(4) | bit(8) | bit(16)},
                                                  {0, 0},
                                                  {3, bit(8) | bit(16)},
                                                  {3, bit(1) | bit(2) | bit(4) | bit(8)},
                                                  {2, bit(8) | bit(16)},
                                                  {0, 0},
                                                  {4, bit(8) | bit(16)}}};

Result<ImageHeader> parse_ihdr(const ByteView& head) {
  const std::size_t at = signature_bytes + 8;
  if (head.be32(signature_bytes) != ihdr_bytes || head.be32(signature_bytes + 4) != chunk_name("IHDR")) {
    return Failure{Fault::corrupt, "PNG does not begin with an IHDR chunk"};
  }
  const std::uint32_t width = head.be32(at);
  const std::uint32_t height = head.be32(at + 4);
  const std::uint32_t depth = head.u8(at + 8);
  const std::uint32_t colour = head.u8(at + 9);
  if (width == 0 || height == 0 || width > 0x7FFFFFFFU || height > 0x7FFFFFFFU) {
    return Failure{Fault::corrupt, fmt::format("PNG says that it has {} rows and {} columns", height, width)};
  }
  if (depth > 16 || colour >= colour_types.size() || (colour_types[colour].depths >> depth & 1U) == 0) {
    return Failure{Fault::corrupt, fmt::format("PNG has no colour type {} with {} bits", colour, depth)};
  }
  if (head.u8(at + 10) != 0 || head.u8(at + 11) != 0 || head.u8(at + 12) > 1) {
    return Failure{Fault::corrupt, "PNG uses a compression, filter or interlace method that does not exist"};
  }
  ImageHeader header{.format = ImageFormat::png,
                     .stored = {static_cast<int>(height), static_cast<int>(width)},
                     .channels = colour_types[colour].channels,
                     .bits = colour == 3 ? 8 : static_cast<int>(depth),
                     .interlaced = head.u8(at + 12) == 1,
                     .has_alpha = colour == 4 || colour == 6,
                     .palette = colour == 3};
  set_orientation(header, 1);
  return header;
}

}  // namespace

Result<ImageHeader> parse_png_header(Head& head) {
  std::size_t at = signature_bytes + ihdr_bytes + chunk_overhead_bytes;
  const ByteView start = head.view(0, at);
  if (start.size() < at) {
    return head.why_short();
  }
  Result<ImageHeader> parsed = parse_ihdr(start);
  if (!parsed) {
    return parsed;
  }
  ImageHeader& header = parsed.value();
  // Transparency and orientation come before the pixels, in any order.
  for (int chunk = 0; chunk < max_segments; ++chunk) {
    const ByteView intro = head.view(at, 8);
    if (intro.size() < 8) {
      return head.why_short();
    }
    const std::size_t length = intro.be32(0);
    const std::uint32_t name = intro.be32(4);
    if (name == chunk_name("IDAT")) {
      return parsed;
    }
    if (length > 0x7FFFFFFFU || name == chunk_name("IEND")) {
      return Failure{Fault::corrupt, "PNG has no pixel data"};
    }
    if (name == chunk_name("tRNS") && !header.has_alpha) {
      header.has_alpha = true;
      header.channels += 1;
    }
    if (name == chunk_name("eXIf")) {
      set_orientation(header, exif_orientation(head.view(at + 8, std::min(length, max_exif_bytes))));
    }
    at += length + chunk_overhead_bytes;
  }
  return Failure{Fault::corrupt, "PNG has too many chunks before its pixels"};
}

}  // namespace pantile::detail
