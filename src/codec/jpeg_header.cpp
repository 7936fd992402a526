#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

namespace marker {
constexpr std::uint32_t tem = 0x01;
constexpr std::uint32_t sof0 = 0xC0;
constexpr std::uint32_t dht = 0xC4;
constexpr std::uint32_t jpg = 0xC8;
constexpr std::uint32_t dac = 0xCC;
constexpr std::uint32_t sof15 = 0xCF;
constexpr std::uint32_t rst0 = 0xD0;
constexpr std::uint32_t soi = 0xD8;
constexpr std::uint32_t eoi = 0xD9;
constexpr std::uint32_t sos = 0xDA;
constexpr std::uint32_t app1 = 0xE1;
}  // namespace marker

constexpr bool is_frame(std::uint32_t code) noexcept {
  return code >= marker::sof0 && code <= marker::sof15 && code != marker::dht && code != marker::jpg &&
         code != marker::dac;
}

/// Huffman or arithmetic coding, baseline, extended or progressive: what libjpeg reads. Not lossless, not hierarchical.
constexpr bool is_decodable_frame(std::uint32_t code) noexcept {
  const std::uint32_t kind = code - marker::sof0;
  return kind <= 2 || kind == 9 || kind == 10;
}

/// The payload of a SOF segment.
Result<ImageHeader> parse_frame(std::uint32_t code, const ByteView& segment) {
  if (segment.size() < 6) {
    return Failure{Fault::corrupt, "JPEG has a frame header that is too short"};
  }
  const std::uint32_t bits = segment.u8(0);
  const std::uint32_t height = segment.be16(1);
  const std::uint32_t width = segment.be16(3);
  const std::uint32_t components = segment.u8(5);
  if (!is_decodable_frame(code)) {
    return Failure{Fault::unsupported, "lossless and hierarchical JPEG are not read by this version"};
  }
  if (bits != 8) {
    return Failure{Fault::unsupported, fmt::format("JPEG with {} bits a sample is not read by this version", bits)};
  }
  if (height == 0 || width == 0) {
    return Failure{Fault::corrupt, fmt::format("JPEG says that it has {} rows and {} columns", height, width)};
  }
  if (components != 1 && components != 3 && components != 4) {
    return Failure{Fault::unsupported, fmt::format("JPEG with {} components is not read by this version", components)};
  }
  return ImageHeader{.format = ImageFormat::jpeg,
                     .stored = {static_cast<int>(height), static_cast<int>(width)},
                     .channels = components == 1 ? 1 : 3,
                     .bits = 8,
                     .progressive = code == marker::sof0 + 2 || code == marker::sof0 + 10,
                     .cmyk = components == 4};
}

std::optional<int> orientation_of_app1(const ByteView& segment) {
  constexpr std::string_view exif{"Exif\0\0", 6};
  if (!segment.begins_with(exif)) {
    return {};
  }
  return exif_orientation(segment.part(exif.size(), segment.size() - exif.size()));
}

/// The place of the next marker at or after `at`; libjpeg too skips what lies between two segments. Nothing at the end.
std::optional<std::size_t> next_marker(Head& head, std::size_t at) {
  while (true) {
    const ByteView two = head.view(at, 2);
    if (two.size() < 2) {
      return {};
    }
    if (two.u8(0) == 0xFF && two.u8(1) != 0 && two.u8(1) != 0xFF) {
      return at;
    }
    ++at;
  }
}

}  // namespace

Result<ImageHeader> parse_jpeg_header(Head& head) {
  std::optional<ImageHeader> frame;
  std::optional<int> orientation;
  std::size_t at = 2;
  // Segment by segment, up to the first scan.
  for (int segments = 0; segments < max_segments; ++segments) {
    const auto found = next_marker(head, at);
    if (!found) {
      return head.why_short();
    }
    at = *found;
    const ByteView intro = head.view(at, 4);
    const std::uint32_t code = intro.u8(1);
    if (code == marker::tem || (code >= marker::rst0 && code < marker::soi)) {
      at += 2;
      continue;
    }
    if (code == marker::soi || code == marker::eoi || (code == marker::sos && !frame)) {
      return Failure{Fault::corrupt, "JPEG has no frame header"};
    }
    if (code == marker::sos) {
      const ByteView scan = head.view(at + 4, 1);
      const auto components = static_cast<std::uint32_t>(frame->cmyk ? 4 : frame->channels);
      frame->progressive = frame->progressive || (scan.size() == 1 && scan.u8(0) < components);
      set_orientation(*frame, orientation.value_or(1));
      return *frame;
    }
    if (intro.size() < 4) {
      return head.why_short();
    }
    const std::size_t length = intro.be16(2);
    if (length < 2) {
      return Failure{Fault::corrupt, "JPEG has a segment without a length"};
    }
    if (code == marker::app1 && !orientation) {
      orientation = orientation_of_app1(head.view(at + 4, length - 2));
    } else if (is_frame(code) && !frame) {
      const ByteView segment = head.view(at + 4, length - 2);
      if (segment.size() < length - 2) {
        return head.why_short();
      }
      Result<ImageHeader> parsed = parse_frame(code, segment);
      if (!parsed) {
        return parsed;
      }
      frame = parsed.value();
    }
    at += 2 + length;
  }
  return Failure{Fault::corrupt, "JPEG has too many segments before its pixels"};
}

}  // namespace pantile::detail
