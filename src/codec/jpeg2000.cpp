// JPEG 2000: OpenCV, which is to say OpenJPEG, decodes it, after our own look at its codestream: of a file that is cut
// before its first tile it makes an image of zeros without a word.

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "codec/decoders.hpp"
#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view codestream_magic = "\xFF\x4F\xFF\x51"sv;

Failure unread(std::string_view what) {
  return {Fault::unsupported, fmt::format("{} is not read by this version. Convert it to PNG", what)};
}

/// The SIZ segment of a codestream: `at` is behind the marker 0xFF51.
Result<ImageHeader> parse_siz(Head& head, std::uint64_t at) {
  const ByteView fixed = head.view(at, 38);
  if (fixed.size() < 38) {
    return head.why_short();
  }
  const std::uint32_t x0 = fixed.be32(12);
  const std::uint32_t y0 = fixed.be32(16);
  const std::uint32_t x1 = fixed.be32(4);
  const std::uint32_t y1 = fixed.be32(8);
  const std::uint32_t components = fixed.be16(36);
  if (x1 <= x0 || y1 <= y0) {
    return Failure{Fault::corrupt, "JPEG 2000 says that it has no pixels"};
  }
  if (x0 != 0 || y0 != 0) {
    return unread("JPEG 2000 whose picture begins inside its canvas");
  }
  if (components != 1 && components != 3 && components != 4) {
    return unread(fmt::format("JPEG 2000 with {} components", components));
  }
  const ByteView each = head.view(at + 38, std::size_t{3} * components);
  if (each.size() < std::size_t{3} * components) {
    return head.why_short();
  }
  for (std::uint32_t component = 0; component < components; ++component) {
    const std::uint32_t bits = (each.u8(std::size_t{3} * component) & 0x7FU) + 1;
    const bool is_signed = (each.u8(std::size_t{3} * component) & 0x80U) != 0;
    if (is_signed || (bits != 8 && bits != 16) || each.u8(std::size_t{3} * component) != each.u8(0)) {
      return unread(fmt::format("JPEG 2000 with {} {}bits a sample", bits, is_signed ? "signed " : ""));
    }
    if (each.u8(std::size_t{3} * component + 1) != 1 || each.u8(std::size_t{3} * component + 2) != 1) {
      return unread("JPEG 2000 with components of several sizes");
    }
  }
  ImageHeader header{.format = ImageFormat::jpeg2000,
                     .channels = static_cast<int>(components),
                     .bits = static_cast<int>((each.u8(0) & 0x7FU) + 1),
                     .has_alpha = components == 4};
  if (auto failure = set_extent(header, y1, x1, "JPEG 2000")) {
    return std::move(*failure);
  }
  return header;
}

/// What keeps a JP2 from being plain grey or RGB: a palette, another colour space. Inside the box jp2h.
std::optional<Failure> check_jp2_header(Head& head, std::uint64_t at, std::uint64_t end) {
  while (at + 8 <= end) {
    const ByteView box = head.view(at, 15);
    if (box.size() < 8 || box.be32(0) < 8) {
      return Failure{Fault::corrupt, "JPEG 2000 has a box that makes no sense"};
    }
    if (box.begins_with("pclr"sv, 4)) {
      return unread("JPEG 2000 with a palette");
    }
    if (box.begins_with("colr"sv, 4) && box.size() == 15 && box.u8(8) == 1) {
      const std::uint32_t space = box.be32(11);
      if (space != 16 && space != 17) {
        return unread("JPEG 2000 in a colour space other than sRGB and grey");
      }
    }
    at += box.be32(0);
  }
  return {};
}

/// Where the codestream begins. In a JP2 it is a box, behind others that say what its samples mean.
Result<std::uint64_t> find_codestream(Head& head) {
  if (head.view(0, 4).begins_with(codestream_magic)) {
    return std::uint64_t{0};
  }
  std::uint64_t at = 12;
  for (int boxes = 0; boxes < max_segments; ++boxes) {
    const ByteView box = head.view(at, 16);
    if (box.size() < 8) {
      return head.why_short();
    }
    std::uint64_t length = box.be32(0);
    std::uint64_t intro = 8;
    if (length == 1) {
      if (box.size() < 16) {
        return head.why_short();
      }
      length = std::uint64_t{box.be32(8)} << 32U | box.be32(12);
      intro = 16;
    }
    if (box.begins_with("jp2c"sv, 4)) {
      const ByteView start = head.view(at + intro, 4);
      if (start.size() < 4) {
        return head.why_short();
      }
      return start.begins_with(codestream_magic)
                 ? Result<std::uint64_t>{at + intro}
                 : Result<std::uint64_t>{Failure{Fault::corrupt, "JPEG 2000 has no codestream"}};
    }
    if (length < intro || length > head.file_bytes()) {
      return Failure{Fault::corrupt, "JPEG 2000 has a box that makes no sense"};
    }
    if (box.begins_with("jp2h"sv, 4)) {
      if (auto failure = check_jp2_header(head, at + intro, at + length)) {
        return std::move(*failure);
      }
    }
    at += length;
  }
  return Failure{Fault::corrupt, "JPEG 2000 has too many boxes before its pixels"};
}

/// How many tiles SIZ announces; 0 if it makes no sense. `at` is behind its marker.
std::uint64_t tiles_of(const ByteView& file, std::size_t at) noexcept {
  const auto along = [&](std::size_t axis) -> std::uint64_t {
    const std::uint64_t image = file.be32(at + 4 + axis);
    const std::uint64_t tile = file.be32(at + 20 + axis);
    const std::uint64_t offset = file.be32(at + 28 + axis);
    return tile == 0 || offset >= image ? 0 : (image - offset + tile - 1) / tile;
  };
  return along(0) * along(4);
}

/// The parts of one tile that were met.
struct TileParts {
  std::uint32_t met = 0;
  std::uint32_t announced = 0;  ///< TNsot; 0 where no part says it, and one is enough
  bool in_order = true;

  void add(std::uint32_t number, std::uint32_t of) noexcept {
    in_order = in_order && number == met;
    ++met;
    announced = std::max(announced, of);
  }
  [[nodiscard]] bool whole() const noexcept { return met >= std::max(announced, 1U); }
  /// More parts than were announced, or others.
  [[nodiscard]] bool odd() const noexcept { return announced != 0 && (met > announced || !in_order); }
};

/// Walks over the parts of the tiles, from the codestream at `at` on: each has its length, and its number in the tile.
std::optional<Failure> missing_tiles(const ByteView& file, std::size_t at) {
  constexpr std::uint32_t start_of_part = 0xFF90;
  constexpr std::uint32_t end_of_codestream = 0xFFD9;
  const std::uint64_t tiles = tiles_of(file, at + 4);
  if (tiles == 0 || tiles > 65'535) {
    return Failure{Fault::corrupt, fmt::format("JPEG 2000 has {} tiles", tiles)};
  }
  std::vector<TileParts> parts(static_cast<std::size_t>(tiles));
  bool any_part = false;
  const auto whole_tiles = [&] {
    return std::count_if(parts.begin(), parts.end(), [](const TileParts& tile) { return tile.whole(); });
  };
  const auto ends = [&] {
    return Failure{Fault::truncated, fmt::format("JPEG 2000 ends after {} of {} tiles", whole_tiles(), tiles)};
  };
  const auto damaged = [&] {
    return Failure{Fault::corrupt, fmt::format("JPEG 2000 is damaged after {} of {} tiles", whole_tiles(), tiles)};
  };
  at += 2;
  while (file.has(at, 2) && file.be16(at) != end_of_codestream) {
    const bool is_part = file.be16(at) == start_of_part;
    if (!file.has(at, is_part ? 12 : 4)) {
      return ends();
    }
    std::size_t length = std::size_t{2} + file.be16(at + 2);
    if (is_part) {
      const std::size_t tile = file.be16(at + 4);
      length = file.be32(at + 6);
      if (length == 0) {  // Up to the end.
        length = file.size() - at >= 14 ? file.size() - at - 2 : 0;
      }
      if (tile >= tiles || (length != 0 && length < 14)) {
        return damaged();
      }
      if (length == 0 || !file.has(at, length)) {
        return ends();
      }
      parts[tile].add(file.u8(at + 10), file.u8(at + 11));
      any_part = true;
    } else if (file.u8(at) != 0xFF || any_part) {
      return damaged();
    }
    at += length;
  }
  if (!file.has(at, 2) || !std::all_of(parts.begin(), parts.end(), [](auto& tile) { return tile.whole(); })) {
    return ends();
  }
  const bool odd = std::any_of(parts.begin(), parts.end(), [](auto& tile) { return tile.odd(); });
  return odd ? std::optional{damaged()} : std::nullopt;
}

}  // namespace

Result<ImageHeader> parse_jpeg2000_header(Head& head) {
  const Result<std::uint64_t> codestream = find_codestream(head);
  if (!codestream) {
    return codestream.failure();
  }
  return parse_siz(head, codestream.value() + 4);
}

std::optional<Failure> decode_jpeg2000(std::span<const std::byte> encoded, const ImageHeader& header, Image& into) {
  Head head{encoded, encoded.size()};
  const Result<std::uint64_t> codestream = find_codestream(head);
  if (!codestream) {
    return codestream.failure();
  }
  if (auto failure = missing_tiles(ByteView{encoded}, static_cast<std::size_t>(codestream.value()))) {
    return failure;
  }
  return decode_with_opencv(encoded, header, into);
}

}  // namespace pantile::detail
