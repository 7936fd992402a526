#include <fmt/format.h>

#include <algorithm>

#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

constexpr std::uint32_t extension = 0x21;
constexpr std::uint32_t graphic_control = 0xF9;
constexpr std::uint32_t image = 0x2C;
constexpr std::uint32_t trailer = 0x3B;
constexpr std::size_t screen_bytes = 13;  // Signature and logical screen.

/// Bytes of the colour table that a packed field announces; 0 without one.
std::size_t table_bytes(std::uint32_t packed) noexcept {
  return (packed & 0x80U) != 0 ? std::size_t{3} << ((packed & 7U) + 1) : 0;
}

/// The end of the blocks of 1 to 255 bytes from `at` on; nothing if the file ends before.
std::optional<std::uint64_t> end_of_blocks(Head& head, std::uint64_t at) {
  while (true) {
    const ByteView length = head.view(at, 1);
    if (length.size() == 0) {
      return {};
    }
    at += 1 + length.u8(0);
    if (length.u8(0) == 0) {
      return at;
    }
  }
}

Result<ImageHeader> parse_frame(const ByteView& screen, const ByteView& frame, bool transparent) {
  const std::uint32_t packed = frame.u8(9);
  if (table_bytes(packed) == 0 && table_bytes(screen.u8(10)) == 0) {
    return Failure{Fault::unsupported, "GIF without colours of its own is not read by this version. Convert it to PNG"};
  }
  if (frame.le16(5) == 0 || frame.le16(7) == 0) {
    return Failure{Fault::corrupt, "GIF has a first picture without pixels"};
  }
  ImageHeader header{.format = ImageFormat::gif,
                     .channels = transparent ? 4 : 3,
                     .bits = 8,
                     .interlaced = (packed & 0x40U) != 0,
                     .has_alpha = transparent,
                     .palette = true};
  // A first picture that is larger than the screen makes the screen larger.
  const std::uint32_t height = std::max(screen.le16(8), frame.le16(3) + frame.le16(7));
  const std::uint32_t width = std::max(screen.le16(6), frame.le16(1) + frame.le16(5));
  if (auto failure = set_extent(header, height, width, "GIF")) {
    return std::move(*failure);
  }
  return header;
}

}  // namespace

Result<ImageHeader> parse_gif_header(Head& head) {
  const ByteView start = head.view(0, screen_bytes);
  if (start.size() < screen_bytes) {
    return head.why_short();
  }
  // The window moves on: what is needed of the start is kept.
  Bytes kept(screen_bytes);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    kept[i] = static_cast<std::byte>(start.u8(i));
  }
  const ByteView screen{kept};
  std::uint64_t at = screen_bytes + table_bytes(screen.u8(10));
  bool transparent = false;
  for (int blocks = 0; blocks < max_segments; ++blocks) {
    const ByteView intro = head.view(at, 10);
    if (intro.size() == 0) {
      return head.why_short();
    }
    const std::uint32_t kind = intro.u8(0);
    if (kind == trailer) {
      return Failure{Fault::corrupt, "GIF has no picture in it"};
    }
    if (kind != image && kind != extension) {
      return Failure{Fault::corrupt, fmt::format("GIF has a part of an unknown kind, {}", kind)};
    }
    if (intro.size() < (kind == image ? 10U : 7U)) {
      return head.why_short();
    }
    if (kind == image) {
      return parse_frame(screen, intro, transparent);
    }
    if (intro.u8(1) == graphic_control && intro.u8(2) >= 4) {
      transparent = (intro.u8(3) & 1U) != 0;
    }
    const auto end = end_of_blocks(head, at + 2);
    if (!end) {
      return head.why_short();
    }
    at = *end;
  }
  return Failure{Fault::corrupt, "GIF has too many parts before its first picture"};
}

}  // namespace pantile::detail
