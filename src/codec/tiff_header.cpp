#include <fmt/format.h>

#include <algorithm>

#include "codec/tiff.hpp"

namespace pantile::detail {
namespace {

namespace tag {
constexpr std::uint32_t width = 256;
constexpr std::uint32_t height = 257;
constexpr std::uint32_t bits = 258;
constexpr std::uint32_t compression = 259;
constexpr std::uint32_t photometric = 262;
constexpr std::uint32_t strip_offsets = 273;
constexpr std::uint32_t orientation = 274;
constexpr std::uint32_t samples = 277;
constexpr std::uint32_t rows_per_strip = 278;
constexpr std::uint32_t planar = 284;
constexpr std::uint32_t tile_width = 322;
constexpr std::uint32_t tile_height = 323;
constexpr std::uint32_t tile_offsets = 324;
constexpr std::uint32_t ink_set = 332;
constexpr std::uint32_t extra_samples = 338;
constexpr std::uint32_t sample_format = 339;
}  // namespace tag

constexpr std::uint32_t jpeg_compression = 7;

Failure unread(std::string_view what) {
  return {Fault::unsupported, fmt::format("TIFF {} is not read by this version. Convert it to PNG", what)};
}

/// The numbers of the first directory, by tag. Both byte orders, offsets of 32 or 64 bits.
class Directory {
 public:
  explicit Directory(Head& head) noexcept : head_{head} {}

  /// How many entries there are, of which only those that are asked for are kept.
  [[nodiscard]] Result<std::uint64_t> read() {
    const ByteView start = head_.view(0, 16);
    if (start.size() < 8) {
      return head_.why_short();
    }
    little_ = start.u8(0) == 'I';
    big_ = u16(start, 2) == 43;
    if (big_ && (start.size() < 16 || u16(start, 4) != 8)) {
      return Failure{Fault::corrupt, "TIFF begins like a BigTIFF, but is none"};
    }
    const std::uint64_t at = big_ ? u64(start, 8) : u32(start, 4);
    const ByteView count = head_.view(at, big_ ? 8 : 2);
    if (count.size() < (big_ ? 8U : 2U)) {
      return missing(at);
    }
    const std::uint64_t entries = big_ ? u64(count, 0) : u16(count, 0);
    if (entries == 0 || entries > 65'535) {
      return Failure{Fault::corrupt, fmt::format("TIFF has a directory of {} entries", entries)};
    }
    const std::size_t entry_bytes = big_ ? 20 : 12;
    for (std::uint64_t i = 0; i < entries; ++i) {
      const ByteView entry = head_.view(at + count.size() + i * entry_bytes, entry_bytes);
      if (entry.size() < entry_bytes) {
        return missing(at + count.size() + i * entry_bytes);
      }
      keep(entry);
    }
    return entries;
  }

  [[nodiscard]] bool has(std::uint32_t wanted) const noexcept { return find(wanted) != nullptr; }

  /// Number `index` of a tag; `otherwise` if it has none.
  [[nodiscard]] std::uint64_t get(std::uint32_t wanted, std::uint64_t otherwise, std::uint64_t index = 0) {
    const Entry* const entry = find(wanted);
    const std::size_t bytes = entry == nullptr ? 0 : bytes_of(entry->type);
    if (bytes == 0 || index >= entry->count) {
      return otherwise;
    }
    if (entry->count <= entry->inline_bytes.size() / bytes && entry->count * bytes <= (big_ ? 8U : 4U)) {
      return number(ByteView{entry->inline_bytes}, static_cast<std::size_t>(index) * bytes, entry->type);
    }
    const ByteView place{entry->inline_bytes};
    const ByteView value = head_.view((big_ ? u64(place, 0) : u32(place, 0)) + index * bytes, bytes);
    return value.size() < bytes ? otherwise : number(value, 0, entry->type);
  }

 private:
  struct Entry {
    std::uint32_t tag = 0;
    std::uint32_t type = 0;
    std::uint64_t count = 0;
    std::array<std::byte, 8> inline_bytes{};
  };

  /// Only the tags that are asked for, and of each the first.
  void keep(const ByteView& entry) {
    const std::uint32_t code = u16(entry, 0);
    const bool wanted =
        (code >= tag::width && code <= tag::planar) || (code >= tag::tile_width && code <= tag::sample_format);
    if (!wanted || find(code) != nullptr) {
      return;
    }
    Entry kept{.tag = code, .type = u16(entry, 2), .count = big_ ? u64(entry, 4) : u32(entry, 4)};
    for (std::size_t i = 0; i < (big_ ? 8U : 4U); ++i) {
      kept.inline_bytes[i] = static_cast<std::byte>(entry.u8((big_ ? 12U : 8U) + i));
    }
    entries_.push_back(kept);
  }
  [[nodiscard]] const Entry* find(std::uint32_t wanted) const noexcept {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.tag == wanted; });
    return found == entries_.end() ? nullptr : &*found;
  }
  [[nodiscard]] Failure missing(std::uint64_t at) const {
    if (at < head_.file_bytes()) {
      return head_.why_short();
    }
    return {Fault::truncated,
            fmt::format("TIFF ends after {} bytes, before its directory at byte {}", head_.file_bytes(), at)};
  }
  /// Of a whole number; 0 for all other types.
  static std::size_t bytes_of(std::uint32_t type) noexcept {
    switch (type) {
      case 1: return 1;
      case 3: return 2;
      case 4: return 4;
      case 16: return 8;
      default: return 0;
    }
  }
  [[nodiscard]] std::uint64_t number(const ByteView& bytes, std::size_t at, std::uint32_t type) const noexcept {
    switch (type) {
      case 1: return bytes.u8(at);
      case 3: return u16(bytes, at);
      case 4: return u32(bytes, at);
      default: return u64(bytes, at);
    }
  }
  [[nodiscard]] std::uint32_t u16(const ByteView& bytes, std::size_t at) const noexcept {
    return little_ ? bytes.le16(at) : bytes.be16(at);
  }
  [[nodiscard]] std::uint32_t u32(const ByteView& bytes, std::size_t at) const noexcept {
    return little_ ? bytes.le32(at) : bytes.be32(at);
  }
  [[nodiscard]] std::uint64_t u64(const ByteView& bytes, std::size_t at) const noexcept {
    const std::uint64_t first = u32(bytes, at);
    const std::uint64_t second = u32(bytes, at + 4);
    return little_ ? second << 32U | first : first << 32U | second;
  }

  Head& head_;
  bool little_ = true;
  bool big_ = false;
  std::vector<Entry> entries_;
};

std::optional<Failure> read_compression(Directory& tags, TiffLayout& /*layout*/) {
  const std::uint64_t compression = tags.get(tag::compression, 1);
  switch (compression) {
    case 1:  // none
    case 2:  // CCITT: modified Huffman, group 3, group 4
    case 3:
    case 4:
    case 5:  // LZW
    case jpeg_compression:
    case 8:  // deflate, by its two numbers
    case 32'946:
    case 32'773:             // PackBits
    case 34'925:             // LZMA
    case 50'000:             // Zstandard
    case 50'001: return {};  // WebP
    default: break;
  }
  if (compression == 6) {
    return unread("with JPEG of the old kind inside");
  }
  return unread(fmt::format("with compression {}", compression));
}

std::optional<Failure> read_colour(Directory& tags, TiffLayout& layout) {
  // Without the tag: what faxes meant.
  const std::uint64_t photometric = tags.get(tag::photometric, layout.samples >= 3 ? 2 : 1);
  const bool is_jpeg = tags.get(tag::compression, 1) == jpeg_compression;
  switch (photometric) {
    case 0: layout.colour = TiffColour::white_is_zero; return {};
    case 1: layout.colour = TiffColour::black_is_zero; return {};
    case 2: layout.colour = TiffColour::rgb; return {};
    case 3: layout.colour = TiffColour::palette; return {};
    case 5:
      if (tags.get(tag::ink_set, 1) != 1) {
        return unread("with inks other than CMYK");
      }
      layout.colour = TiffColour::cmyk;
      return {};
    case 6:
      if (!is_jpeg || layout.planes) {
        return unread("in YCbCr, unless JPEG is inside,");
      }
      layout.colour = TiffColour::ycbcr;
      return {};
    case 8:
    case 9:
    case 10: return unread("in the colour space Lab");
    default: return unread(fmt::format("with colours of the kind {}", photometric));
  }
}

std::optional<Failure> read_samples(Directory& tags, TiffLayout& layout) {
  const std::uint64_t samples = tags.get(tag::samples, 1);
  if (samples == 0 || samples > 65'535) {
    return Failure{Fault::corrupt, fmt::format("TIFF has {} samples a pixel", samples)};
  }
  layout.samples = layout.header.samples = static_cast<int>(samples);
  const std::uint64_t bits = tags.get(tag::bits, 1);
  for (std::uint64_t sample = 0; sample < std::min<std::uint64_t>(samples, 8); ++sample) {
    if (tags.get(tag::bits, bits, sample) != bits) {
      return unread("with samples of several sizes");
    }
    const std::uint64_t format = tags.get(tag::sample_format, 1, sample);
    if (format == 2 || format == 3) {
      return unread(format == 2 ? "with signed samples" : "with floating-point samples");
    }
    if (format != 1 && format != 4) {
      return unread(fmt::format("with samples of the format {}", format));
    }
  }
  layout.header.bits = static_cast<int>(std::min<std::uint64_t>(bits, 1024));
  layout.planes = samples > 1 && tags.get(tag::planar, 1) == 2;
  return {};
}

/// Channels, from what the samples mean.
std::optional<Failure> read_channels(Directory& tags, TiffLayout& layout) {
  ImageHeader& header = layout.header;
  const TiffColour colour = layout.colour;
  const bool grey = colour == TiffColour::black_is_zero || colour == TiffColour::white_is_zero;
  const int bits = header.bits;
  const bool whole = bits == 8 || bits == 16;
  const bool part = bits == 1 || bits == 2 || bits == 4;
  const bool known = grey                            ? whole || part
                     : colour == TiffColour::palette ? part || bits == 8
                     : colour == TiffColour::ycbcr   ? bits == 8
                                                     : whole;
  if (!known) {
    return unread(fmt::format("with {} bits a sample", bits));
  }
  const int colours = grey || colour == TiffColour::palette ? 1 : (colour == TiffColour::cmyk ? 4 : 3);
  const int extra = layout.samples - colours;
  if (extra < 0) {
    return Failure{Fault::corrupt, fmt::format("TIFF has {} samples a pixel, and needs {}", layout.samples, colours)};
  }
  if (extra > 4) {
    return unread(fmt::format("with {} samples a pixel", layout.samples));
  }
  if (extra > 0 && (grey || colour == TiffColour::rgb)) {
    // Without the tag the fourth sample after RGB is alpha, as most writers that forget it mean.
    const std::uint64_t meaning = tags.get(tag::extra_samples, grey ? 0 : 2);
    layout.alpha = meaning == 1                     ? TiffAlpha::associated
                   : meaning == 2 || meaning == 999 ? TiffAlpha::unassociated
                                                    : TiffAlpha::none;
  }
  header.has_alpha = layout.alpha != TiffAlpha::none;
  header.channels = (grey ? 1 : 3) + (header.has_alpha ? 1 : 0);
  header.cmyk = colour == TiffColour::cmyk;
  header.palette = colour == TiffColour::palette;
  return {};
}

std::optional<Failure> read_tile(Directory& tags, TiffLayout& layout) {
  ImageHeader& header = layout.header;
  const bool tiled = tags.has(tag::tile_width) || tags.has(tag::tile_offsets);
  if (!tags.has(tiled ? tag::tile_offsets : tag::strip_offsets)) {
    return Failure{Fault::corrupt, "TIFF does not say where its pixels are"};
  }
  const auto rows = static_cast<std::uint64_t>(header.stored.height);
  const std::uint64_t height =
      tiled ? tags.get(tag::tile_height, 0) : std::min(tags.get(tag::rows_per_strip, rows), rows);
  const std::uint64_t width = tiled ? tags.get(tag::tile_width, 0) : static_cast<std::uint64_t>(header.stored.width);
  constexpr std::uint64_t most = 0x7FFFFFFFU;
  if (height == 0 || width == 0 || height > most || width > most) {
    return Failure{Fault::corrupt, fmt::format("TIFF has tiles of {} rows and {} columns", height, width)};
  }
  header.tile = {static_cast<int>(height), static_cast<int>(width)};
  return {};
}

}  // namespace

Result<TiffLayout> parse_tiff(Head& head) {
  head.lift_limit();
  Directory tags{head};
  if (const Result<std::uint64_t> entries = tags.read(); !entries) {
    return entries.failure();
  }
  TiffLayout layout;
  layout.header.format = ImageFormat::tiff;
  const std::uint64_t orientation = tags.get(tag::orientation, 1);
  layout.header.orientation = orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  if (auto failure = set_extent(layout.header, tags.get(tag::height, 0), tags.get(tag::width, 0), "TIFF")) {
    return std::move(*failure);
  }
  // In this order: each looks at what the ones before it found.
  for (const auto read : {read_samples, read_compression, read_colour, read_channels, read_tile}) {
    if (auto failure = read(tags, layout)) {
      return std::move(*failure);
    }
  }
  return layout;
}

Result<ImageHeader> parse_tiff_header(Head& head) {
  const Result<TiffLayout> layout = parse_tiff(head);
  if (!layout) {
    return layout.failure();
  }
  return layout.value().header;
}

}  // namespace pantile::detail
