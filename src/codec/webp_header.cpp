#include <fmt/format.h>

#include <algorithm>

#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t chunk_intro_bytes = 8;  // Name, length.

Failure cut(const Head& head, std::uint64_t wanted) {
  return {Fault::truncated, fmt::format("WebP ends after {} of {} bytes", head.file_bytes(), wanted)};
}

/// The first bytes of a VP8 chunk: a key frame's tag, start code, width and height.
std::optional<Failure> parse_lossy(const ByteView& frame, ImageHeader& into) {
  const bool key_frame = frame.has(0, 10) && (frame.u8(0) & 1U) == 0;
  if (!key_frame || !frame.begins_with("\x9D\x01\x2A"sv, 3)) {
    return Failure{Fault::corrupt, "WebP has a picture that does not begin like one"};
  }
  return set_extent(into, frame.le16(8) & 0x3FFFU, frame.le16(6) & 0x3FFFU, "WebP");
}

/// The first bytes of a VP8L chunk: a signature, then 14 bits of width − 1, 14 of height − 1, one of alpha.
std::optional<Failure> parse_lossless(const ByteView& frame, ImageHeader& into) {
  if (!frame.has(0, 5) || frame.u8(0) != 0x2F) {
    return Failure{Fault::corrupt, "WebP has a picture that does not begin like one"};
  }
  const std::uint32_t facts = frame.le32(1);
  into.lossless = true;
  into.has_alpha = (facts >> 28U & 1U) != 0;
  return set_extent(into, (facts >> 14U & 0x3FFFU) + 1, (facts & 0x3FFFU) + 1, "WebP");
}

struct Chunk {
  std::uint32_t name = 0;
  std::uint64_t payload_at = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t next_at = 0;
};

constexpr std::uint32_t chunk_name(const char (&text)[5]) noexcept {
  std::uint32_t code = 0;
  for (unsigned i = 0; i < 4; ++i) {
    code |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(text[i])) << (8 * i);
  }
  return code;
}

std::optional<Chunk> chunk_at(Head& head, std::uint64_t at) {
  const ByteView intro = head.view(at, chunk_intro_bytes);
  if (intro.size() < chunk_intro_bytes) {
    return {};
  }
  const std::uint64_t bytes = intro.le32(4);
  return Chunk{intro.le32(0), at + chunk_intro_bytes, bytes, at + chunk_intro_bytes + bytes + (bytes & 1U)};
}

/// What VP8X announces: the canvas, and what the other chunks are.
struct Canvas {
  ImageHeader facts{};
  bool has_alpha = false;
  bool has_exif = false;
};

Result<Canvas> parse_canvas(const ByteView& payload) {
  if (!payload.has(0, 10)) {
    return Failure{Fault::corrupt, "WebP has a header that is too short"};
  }
  const auto u24 = [&](std::size_t at) { return payload.le16(at) | payload.u8(at + 2) << 16U; };
  Canvas canvas{.has_alpha = (payload.u8(0) & 0x10U) != 0, .has_exif = (payload.u8(0) & 0x08U) != 0};
  canvas.facts.animated = (payload.u8(0) & 0x02U) != 0;
  if (auto failure = set_extent(canvas.facts, u24(7) + 1, u24(4) + 1, "WebP")) {
    return std::move(*failure);
  }
  return canvas;
}

int orientation_of(const ByteView& exif) {
  constexpr auto jpeg_prefix = "Exif\0\0"sv;  // Some writers keep it.
  const std::size_t skip = exif.begins_with(jpeg_prefix) ? jpeg_prefix.size() : 0;
  return exif_orientation(exif.part(skip, exif.size() - skip));
}

/// Walks the chunks behind VP8X: the picture (or the first frame), and EXIF, which comes after it.
Result<ImageHeader> parse_extended(Head& head, const Canvas& canvas, std::uint64_t at, std::uint64_t end) {
  ImageHeader header;
  bool has_picture = false;
  bool has_alpha = canvas.has_alpha;
  std::optional<int> orientation;
  for (int chunks = 0; at + chunk_intro_bytes <= end; ++chunks) {
    if (chunks == max_segments) {
      return Failure{Fault::corrupt, "WebP has too many chunks"};
    }
    const auto chunk = chunk_at(head, at);
    if (!chunk) {
      return has_picture ? cut(head, end) : head.why_short();
    }
    if (chunk->name == chunk_name("ALPH")) {
      has_alpha = true;
    } else if (chunk->name == chunk_name("EXIF") && !orientation) {
      const auto length = std::min<std::uint64_t>(chunk->payload_bytes, max_exif_bytes);
      orientation = orientation_of(head.view(chunk->payload_at, static_cast<std::size_t>(length)));
    } else if (chunk->name == chunk_name("ANMF") && canvas.facts.animated && !has_picture) {
      header = canvas.facts;
      has_picture = true;
    } else if (!has_picture && (chunk->name == chunk_name("VP8 ") || chunk->name == chunk_name("VP8L"))) {
      header.has_alpha = false;
      const ByteView frame = head.view(chunk->payload_at, 10);
      auto failure = chunk->name == chunk_name("VP8 ") ? parse_lossy(frame, header) : parse_lossless(frame, header);
      if (failure) {
        return std::move(*failure);
      }
      has_alpha = header.lossless ? header.has_alpha : has_alpha;
      has_picture = true;
    }
    if (has_picture && (orientation || !canvas.has_exif)) {
      break;
    }
    at = chunk->next_at;
  }
  if (!has_picture) {
    return Failure{Fault::corrupt, "WebP has no picture in it"};
  }
  if (header.stored != canvas.facts.stored) {
    return Failure{Fault::corrupt, fmt::format("WebP says {} pixels, its picture has {}",
                                               to_string(canvas.facts.stored), to_string(header.stored))};
  }
  header.has_alpha = has_alpha;
  set_orientation(header, orientation.value_or(1));
  return header;
}

}  // namespace

Result<ImageHeader> parse_webp_header(Head& head) {
  head.lift_limit();
  const ByteView riff = head.view(0, 12);
  // The length is that of what follows it. A last byte of padding may be left out.
  const std::uint64_t end = std::uint64_t{riff.le32(4)} + 8;
  if (end > head.file_bytes() + 1) {
    return cut(head, end);
  }
  const auto first = chunk_at(head, 12);
  if (!first) {
    return head.why_short();
  }
  const ByteView payload = head.view(first->payload_at, 10);
  Result<ImageHeader> parsed = ImageHeader{};
  if (first->name == chunk_name("VP8X")) {
    const Result<Canvas> canvas = parse_canvas(payload);
    if (!canvas) {
      return canvas.failure();
    }
    parsed = parse_extended(head, canvas.value(), first->next_at, end);
  } else if (first->name == chunk_name("VP8 ") || first->name == chunk_name("VP8L")) {
    auto failure = first->name == chunk_name("VP8 ") ? parse_lossy(payload, parsed.value())
                                                     : parse_lossless(payload, parsed.value());
    if (failure) {
      return std::move(*failure);
    }
  } else {
    return Failure{Fault::corrupt, "WebP has no picture in it"};
  }
  if (parsed) {
    ImageHeader& header = parsed.value();
    header.format = ImageFormat::webp;
    header.bits = 8;
    header.channels = header.has_alpha ? 4 : 3;
  }
  return parsed;
}

}  // namespace pantile::detail
