#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "codec/bmp.hpp"
#include "codec/header_parts.hpp"

namespace pantile::detail {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t file_header_bytes = 14;
constexpr std::uint32_t core_bytes = 12;  // OS/2's header: 16 bits a side, no compression.
constexpr std::size_t masks_at = 54;      // Behind the first 40 bytes of the second header, or inside a longer one.

Failure unread(std::string_view what) {
  return {Fault::unsupported, fmt::format("BMP {} is not read by this version. Convert it to PNG", what)};
}

bool is_dib(std::uint32_t bytes) noexcept {
  constexpr std::uint32_t sizes[] = {core_bytes, 40, 52, 56, 64, 108, 124};
  return std::find(std::begin(sizes), std::end(sizes), bytes) != std::end(sizes);
}

struct Masks {
  std::uint32_t red = 0;
  std::uint32_t green = 0;
  std::uint32_t blue = 0;
  bool operator==(const Masks&) const = default;
};

constexpr Masks rgb565{0xF800, 0x07E0, 0x001F};
constexpr Masks rgb555{0x7C00, 0x03E0, 0x001F};
constexpr Masks rgb888{0xFF0000, 0xFF00, 0xFF};

/// How the bits of a pixel are divided, where the file says it itself.
std::optional<Failure> read_masks(const ByteView& head, std::uint32_t dib_bytes, BmpLayout& layout) {
  if (!head.has(masks_at, 12)) {
    return Failure{Fault::truncated, "BMP ends inside its header"};
  }
  const Masks masks{head.le32(masks_at), head.le32(masks_at + 4), head.le32(masks_at + 8)};
  const std::uint32_t alpha = dib_bytes >= 56 && head.has(masks_at, 16) ? head.le32(masks_at + 12) : 0;
  layout.green_bits = masks == rgb565 ? 6 : 5;
  layout.has_alpha = alpha == 0xFF000000U;
  const bool known = layout.bits == 16 ? (masks == rgb565 || masks == rgb555) && alpha == 0
                                       : masks == rgb888 && (alpha == 0 || layout.has_alpha);
  return known ? std::nullopt : std::optional{unread("with an unusual order of colours")};
}

/// Everything but the extent, which OS/2's short header has elsewhere.
std::optional<Failure> read_coding(const ByteView& head, std::uint32_t dib_bytes, BmpLayout& layout) {
  const bool core = dib_bytes == core_bytes;
  layout.bits = head.le16(core ? 24 : 28);
  const std::uint32_t compression = core ? 0 : head.le32(30);
  const bool run_length = (compression == 1 && layout.bits == 8) || (compression == 2 && layout.bits == 4);
  const bool fields = compression == 3 && (layout.bits == 16 || layout.bits == 32) && dib_bytes != 64;
  if (compression == 4 || compression == 5) {
    return unread("with a JPEG or PNG inside");
  }
  if (compression != 0 && !run_length && !fields) {
    return Failure{Fault::corrupt,
                   fmt::format("BMP has no compression {} with {} bits a pixel", compression, layout.bits)};
  }
  switch (layout.bits) {
    case 1:
    case 4:
    case 8:
    case 16:
    case 24:
    case 32: break;
    case 2:
    case 64: return unread(fmt::format("with {} bits a pixel", layout.bits));
    default: return Failure{Fault::corrupt, fmt::format("BMP has {} bits a pixel", layout.bits)};
  }
  layout.run_length = run_length;
  return fields ? read_masks(head, dib_bytes, layout) : std::nullopt;
}

}  // namespace

Result<BmpLayout> parse_bmp(const ByteView& head, std::uint64_t file_bytes) {
  constexpr std::string_view format = "BMP";
  if (!head.has(0, file_header_bytes + core_bytes)) {
    return Failure{Fault::truncated, "BMP ends inside its header"};
  }
  const std::uint32_t dib_bytes = head.le32(14);
  if (!is_dib(dib_bytes)) {
    return Failure{Fault::corrupt, fmt::format("BMP has a header of {} bytes, which does not exist", dib_bytes)};
  }
  if (!head.has(file_header_bytes, dib_bytes)) {
    return Failure{Fault::truncated, "BMP ends inside its header"};
  }
  BmpLayout layout;
  if (auto failure = read_coding(head, dib_bytes, layout)) {
    return std::move(*failure);
  }
  const bool core = dib_bytes == core_bytes;
  const std::uint32_t width = core ? head.le16(18) : head.le32(18);
  const std::uint32_t height = core ? head.le16(20) : head.le32(22);
  // A negative height is that of an image whose first row comes first.
  const bool top_down = height > 0x80000000U;
  ImageHeader& header = layout.header;
  if (auto failure = set_extent(header, top_down ? ~height + 1 : height, width, format)) {
    return std::move(*failure);
  }
  header.format = ImageFormat::bmp;
  header.bits = 8;
  header.palette = layout.bits <= 8;
  header.has_alpha = layout.has_alpha;
  header.channels = layout.has_alpha ? 4 : 3;
  layout.pixels_at = head.le32(10);
  const std::uint32_t announced = core ? 0 : head.le32(46);
  const std::uint32_t colours = layout.bits <= 8 && announced == 0 ? 1U << layout.bits : announced;
  if (header.palette && colours > (1U << layout.bits)) {
    return Failure{Fault::corrupt, fmt::format("BMP has {} colours for {} bits a pixel", colours, layout.bits)};
  }
  const std::uint64_t palette_bytes = header.palette ? std::uint64_t{colours} * (core ? 3 : 4) : 0;
  if (layout.pixels_at < file_header_bytes + dib_bytes + palette_bytes) {
    return Failure{Fault::corrupt, "BMP has pixels that begin inside its header"};
  }
  const std::uint64_t row_bytes = (std::uint64_t{width} * layout.bits + 31) / 32 * 4;
  if (!layout.run_length) {
    if (auto failure = missing_rows(header, format, layout.pixels_at, row_bytes, file_bytes)) {
      return std::move(*failure);
    }
  } else if (layout.pixels_at >= file_bytes) {
    return Failure{Fault::truncated, fmt::format("BMP ends after 0 of {} rows", header.stored.height)};
  } else if (top_down) {
    return Failure{Fault::corrupt, "BMP is run-length coded from the top, which does not exist"};
  }
  return layout;
}

Result<ImageHeader> parse_bmp_header(Head& head) {
  const Result<BmpLayout> layout = parse_bmp(head.view(0, file_header_bytes + 124), head.file_bytes());
  if (!layout) {
    return layout.failure();
  }
  return layout.value().header;
}

std::optional<Failure> check_bmp_runs(const ByteView& file, const BmpLayout& layout) {
  const std::uint64_t height = static_cast<std::uint64_t>(layout.header.stored.height);
  const std::uint64_t width = static_cast<std::uint64_t>(layout.header.stored.width);
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  std::size_t at = layout.pixels_at;
  const auto failed = [&](Fault fault, std::string_view what) {
    return Failure{fault, fmt::format("BMP {} after {} of {} rows", what, row, height)};
  };
  while (file.has(at, 2)) {
    const std::uint32_t count = file.u8(at);
    const std::uint32_t value = file.u8(at + 1);
    at += 2;
    if (count == 0 && value == 1) {
      return {};  // The end: pixels that nothing was said of have the first colour.
    }
    if (count == 0 && value == 0) {
      ++row;
      column = 0;
    } else if (count == 0 && value == 2) {
      if (!file.has(at, 2)) {
        break;
      }
      column += file.u8(at);
      row += file.u8(at + 1);
      at += 2;
    } else {
      const std::uint32_t pixels = count == 0 ? value : count;
      const std::size_t bytes = count == 0 ? (std::size_t{pixels} * layout.bits + 15) / 16 * 2 : 0;
      if (!file.has(at, bytes)) {
        break;
      }
      at += bytes;
      column += pixels;
      if (row >= height || column > width) {
        return failed(Fault::corrupt, "is damaged");
      }
    }
  }
  return failed(Fault::truncated, "ends");
}

}  // namespace pantile::detail
