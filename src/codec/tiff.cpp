#include "codec/tiff.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/decoders.hpp"
#include "codec/tiff_file.hpp"

namespace pantile::detail {
namespace {

/// Reads the tiles (or strips, which are tiles as wide as the image) that a part of the image needs, one at a time.
class Reading {
 public:
  Reading(TiffFile& file, const TiffLayout& layout, Rect part, Image& into) noexcept
      : file_{file}, layout_{layout}, part_{part}, into_{into} {}

  [[nodiscard]] std::optional<Failure> run(std::uint64_t most_bytes) {
    if (auto failure = prepare(most_bytes)) {
      return failure;
    }
    const Extent tile = layout_.header.tile;
    // 64 bits: the first tile beyond the image may begin where no int counts.
    for (std::int64_t y = part_.y - part_.y % tile.height; y < part_.bottom(); y += tile.height) {
      for (std::int64_t x = part_.x - part_.x % tile.width; x < part_.right(); x += tile.width) {
        if (auto failure = read_tile(static_cast<int>(y), static_cast<int>(x))) {
          return failure;
        }
      }
    }
    return {};
  }

 private:
  [[nodiscard]] TIFF* tiff() const noexcept { return file_.get(); }
  [[nodiscard]] int stored_rows() const noexcept { return layout_.header.stored.height; }
  [[nodiscard]] int planes() const noexcept { return layout_.planes ? layout_.samples : 1; }

  /// A failure at row `y`, in the words of libtiff.
  [[nodiscard]] Failure damaged(int y) const {
    file_.rethrow();
    return {Fault::corrupt, fmt::format("TIFF is damaged after {} of {} rows{}", y, stored_rows(),
                                        file_.said().empty() ? "" : fmt::format(" ({})", file_.said()))};
  }

  /// True if libtiff sees the same picture as our parser.
  [[nodiscard]] bool as_expected() {
    const ImageHeader& header = layout_.header;
    std::uint32_t height = 0;
    std::uint32_t width = 0;
    std::uint16_t bits = 0;
    std::uint16_t samples = 0;
    std::uint16_t planar = 0;
    TIFFGetField(tiff(), TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(tiff(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetFieldDefaulted(tiff(), TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tiff(), TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tiff(), TIFFTAG_PLANARCONFIG, &planar);
    tiled_ = TIFFIsTiled(tiff()) != 0;
    std::uint32_t tile_height = static_cast<std::uint32_t>(header.stored.height);
    std::uint32_t tile_width = static_cast<std::uint32_t>(header.stored.width);
    if (tiled_) {
      TIFFGetField(tiff(), TIFFTAG_TILELENGTH, &tile_height);
      TIFFGetField(tiff(), TIFFTAG_TILEWIDTH, &tile_width);
    } else {
      std::uint32_t rows = tile_height;
      TIFFGetFieldDefaulted(tiff(), TIFFTAG_ROWSPERSTRIP, &rows);
      tile_height = std::min(tile_height, rows);
    }
    const auto same = [](auto theirs, int ours) { return static_cast<std::int64_t>(theirs) == ours; };
    return same(height, header.stored.height) && same(width, header.stored.width) && same(bits, header.bits) &&
           same(samples, layout_.samples) && (layout_.planes == (samples > 1 && planar == PLANARCONFIG_SEPARATE)) &&
           same(tile_height, header.tile.height) && same(tile_width, header.tile.width);
  }

  [[nodiscard]] std::optional<Failure> prepare(std::uint64_t most_bytes) {
    if (!as_expected()) {
      return Failure{Fault::corrupt, "TIFF has tags that contradict each other"};
    }
    if (layout_.colour == TiffColour::ycbcr) {
      TIFFSetField(tiff(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (layout_.colour == TiffColour::palette) {
      if (auto failure = read_palette()) {
        return failure;
      }
    }
    file_.begin_pixels();
    row_bytes_ = tiled_ ? TIFFTileRowSize64(tiff()) : TIFFScanlineSize64(tiff());
    tile_bytes_ = tiled_ ? TIFFTileSize64(tiff()) : TIFFStripSize64(tiff());
    const std::uint64_t row_samples = static_cast<std::uint64_t>(layout_.header.tile.width) *
                                      static_cast<std::uint64_t>(layout_.planes ? 1 : layout_.samples);
    const std::uint64_t row_needed = (row_samples * static_cast<std::uint64_t>(layout_.header.bits) + 7) / 8;
    const auto rows = static_cast<std::uint64_t>(layout_.header.tile.height);
    if (!file_.well() || row_bytes_ != row_needed || tile_bytes_ / rows < row_bytes_) {
      return damaged(0);
    }
    if (tile_bytes_ > most_bytes / static_cast<std::uint64_t>(planes())) {
      return Failure{Fault::too_large, fmt::format("the image has {} pixels that must be decoded together",
                                                   to_string(layout_.header.tile))};
    }
    bytes_.resize(static_cast<std::size_t>(tile_bytes_) * static_cast<std::size_t>(planes()));
    return {};
  }

  /// A map of 8-bit colours in 16-bit numbers exists in the wild: then no number is above 255.
  [[nodiscard]] std::optional<Failure> read_palette() {
    const std::uint16_t* maps[3] = {};
    if (TIFFGetField(tiff(), TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 0) {
      return Failure{Fault::corrupt, "TIFF has no map of its colours"};
    }
    const std::size_t count = std::size_t{1} << static_cast<unsigned>(layout_.header.bits);
    const bool narrow = std::all_of(std::begin(maps), std::end(maps), [&](const std::uint16_t* map) {
      return std::all_of(map, map + count, [](std::uint16_t value) { return value < 256; });
    });
    palette_.resize(count);
    for (std::size_t number = 0; number < count; ++number) {
      for (std::size_t colour = 0; colour < 3; ++colour) {
        const std::uint16_t value = maps[colour][number];
        palette_[number][colour] = static_cast<std::uint8_t>(narrow ? value : value >> 8U);
      }
    }
    return {};
  }

  /// Decodes what begins at row y, column x, of one plane.
  [[nodiscard]] std::optional<Failure> decode_tile(int y, int x, int plane, int rows) {
    const auto at_y = static_cast<std::uint32_t>(y);
    const auto sample = static_cast<std::uint16_t>(plane);
    const std::uint32_t number = tiled_ ? TIFFComputeTile(tiff(), static_cast<std::uint32_t>(x), at_y, 0, sample)
                                        : TIFFComputeStrip(tiff(), at_y, sample);
    const std::uint64_t at = TIFFGetStrileOffset(tiff(), number);
    const std::uint64_t count = TIFFGetStrileByteCount(tiff(), number);
    if (!file_.well()) {
      return damaged(y);
    }
    const std::uint64_t file_bytes = TIFFGetSizeProc(tiff())(TIFFClientdata(tiff()));
    if (at == 0 || count == 0) {
      return Failure{Fault::truncated, fmt::format("TIFF has data for {} of {} rows only", y, stored_rows())};
    }
    if (at > file_bytes || count > file_bytes - at) {
      return Failure{Fault::truncated,
                     fmt::format("TIFF ends after {} of {} rows (their data goes on up to byte {}, the "
                                 "file has {})",
                                 y, stored_rows(), at + count, file_bytes)};
    }
    const std::uint64_t wanted = tiled_ ? tile_bytes_ : TIFFVStripSize64(tiff(), static_cast<std::uint32_t>(rows));
    std::uint16_t compression = COMPRESSION_NONE;
    TIFFGetFieldDefaulted(tiff(), TIFFTAG_COMPRESSION, &compression);
    if (compression == COMPRESSION_NONE && count < wanted) {
      // Of a file that is not in memory libtiff would take the bytes behind them.
      return Failure{Fault::truncated, fmt::format("TIFF has data for {} of {} rows only ({} of {} bytes)", y,
                                                   stored_rows(), count, wanted)};
    }
    std::byte* const to = bytes_.data() + static_cast<std::size_t>(plane) * static_cast<std::size_t>(tile_bytes_);
    const tmsize_t got = tiled_ ? TIFFReadEncodedTile(tiff(), number, to, static_cast<tmsize_t>(wanted))
                                : TIFFReadEncodedStrip(tiff(), number, to, static_cast<tmsize_t>(wanted));
    if (!file_.well() || got < 0 || static_cast<std::uint64_t>(got) != wanted) {
      return damaged(y);
    }
    return {};
  }

  [[nodiscard]] std::optional<Failure> read_tile(int y, int x) {
    const Extent tile = layout_.header.tile;
    const Extent stored = layout_.header.stored;
    const Rect covered{y, x, std::min(tile.height, stored.height - y), std::min(tile.width, stored.width - x)};
    for (int plane = 0; plane < planes(); ++plane) {
      if (auto failure = decode_tile(y, x, plane, covered.height)) {
        return failure;
      }
    }
    const Rect wanted = intersection(covered, part_);
    std::array<const std::byte*, 8> rows{};
    for (int row = wanted.y; row < wanted.bottom(); ++row) {
      for (int plane = 0; plane < planes(); ++plane) {
        rows[static_cast<std::size_t>(plane)] =
            bytes_.data() + static_cast<std::size_t>(plane) * static_cast<std::size_t>(tile_bytes_) +
            static_cast<std::size_t>(row - y) * static_cast<std::size_t>(row_bytes_);
      }
      std::byte* const to =
          into_.row(row - part_.y) + static_cast<std::size_t>(wanted.x - part_.x) * into_.view().pixel_bytes();
      unpack_tiff(layout_, palette_, std::span{rows}.first(static_cast<std::size_t>(planes())),
                  static_cast<std::size_t>(wanted.x - x), static_cast<std::size_t>(wanted.width), to);
    }
    return {};
  }

  TiffFile& file_;
  const TiffLayout& layout_;
  Rect part_;
  Image& into_;
  bool tiled_ = false;
  std::uint64_t row_bytes_ = 0;
  std::uint64_t tile_bytes_ = 0;  ///< of one plane
  TiffPalette palette_;
  Bytes bytes_;
};

}  // namespace

std::optional<Failure> decode_tiff(ByteReader& file, const TiffLayout& layout, Rect part, std::uint64_t most_bytes,
                                   Image& into) {
  // A coded tile may be somewhat larger than its pixels; libtiff's other tables are small.
  TiffFile open{file, (std::uint64_t{64} << 20U) + 2 * most_bytes};
  if (open.get() == nullptr) {
    open.rethrow();
    return Failure{Fault::corrupt, fmt::format("TIFF has a directory that makes no sense{}",
                                               open.said().empty() ? "" : fmt::format(" ({})", open.said()))};
  }
  return Reading{open, layout, part, into}.run(most_bytes);
}

}  // namespace pantile::detail
