#pragma once
// Behind header.hpp: one parser a format, over a window of the file that moves with it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header.hpp"

namespace pantile::detail {

/// Big- or little-endian numbers of bytes that are there.
class ByteView {
 public:
  explicit constexpr ByteView(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}
  [[nodiscard]] constexpr std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] constexpr bool has(std::size_t at, std::size_t count) const noexcept {
    return at <= bytes_.size() && count <= bytes_.size() - at;
  }
  [[nodiscard]] bool begins_with(std::string_view magic, std::size_t at = 0) const noexcept;

  // Precondition of all below: the bytes are there.
  [[nodiscard]] constexpr std::uint32_t u8(std::size_t at) const noexcept {
    return std::to_integer<std::uint32_t>(bytes_[at]);
  }
  [[nodiscard]] constexpr std::uint32_t be16(std::size_t at) const noexcept { return u8(at) << 8U | u8(at + 1); }
  [[nodiscard]] constexpr std::uint32_t be32(std::size_t at) const noexcept { return be16(at) << 16U | be16(at + 2); }
  [[nodiscard]] constexpr std::uint32_t le16(std::size_t at) const noexcept { return u8(at) | u8(at + 1) << 8U; }
  [[nodiscard]] constexpr std::uint32_t le32(std::size_t at) const noexcept { return le16(at) | le16(at + 2) << 16U; }
  [[nodiscard]] constexpr ByteView part(std::size_t at, std::size_t count) const noexcept {
    return ByteView{bytes_.subspan(at, count)};
  }

 private:
  std::span<const std::byte> bytes_;
};

/// The first header_limit_bytes of a file. Of one that is not in memory only what is asked for is read, a few KiB at a
/// time: profiles, previews and depth maps, which may take megabytes before the pixels, are stepped over.
class Head {
 public:
  /// `head` is the beginning of a file of `file_bytes` bytes, and must outlive this.
  Head(std::span<const std::byte> head, std::uint64_t file_bytes) noexcept;
  /// `file` must outlive this.
  explicit Head(ByteReader& file);

  /// Up to `count` bytes of the file from `at` on, fewer only where the head ends; valid until the next call.
  [[nodiscard]] ByteView view(std::uint64_t at, std::size_t count);
  /// From now on the head is all that there is of the file: for formats whose header may be at its end.
  void lift_limit() noexcept { end_ = there_; }
  [[nodiscard]] std::uint64_t file_bytes() const noexcept { return file_bytes_; }
  /// Why the last view was shorter than asked: the file ends there, cannot be read, or goes on beyond the limit.
  [[nodiscard]] Failure why_short() const;

 private:
  std::uint64_t there_ = 0;  ///< bytes that could be seen without a limit
  std::uint64_t end_ = 0;    ///< of the head
  std::uint64_t file_bytes_ = 0;
  ByteReader* file_ = nullptr;
  std::string error_;  ///< of a failed read
  std::uint64_t window_at_ = 0;
  std::span<const std::byte> window_;
  Bytes buffer_;
};

/// More segments or chunks than this before the pixels are not a header but an attack.
inline constexpr int max_segments = 100'000;
/// EXIF is looked into so far: as much as a JPEG segment can hold.
inline constexpr std::size_t max_exif_bytes = 65'536;

// Precondition of all: `head` begins with the magic of the format.

[[nodiscard]] Result<ImageHeader> parse_png_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_jpeg_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_webp_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_tiff_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_gif_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_bmp_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_pnm_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_sun_raster_header(Head& head);
[[nodiscard]] Result<ImageHeader> parse_jpeg2000_header(Head& head);

/// What most formats without compression can say wrong: no pixels, or more a side than can be counted. Nothing if the
/// extent makes sense, which is then in `into`.
[[nodiscard]] std::optional<Failure> set_extent(ImageHeader& into, std::uint64_t height, std::uint64_t width,
                                                std::string_view format);
/// "the file ends after 12 of 64 rows", for pixels of `row_bytes` a row from `pixels_at` on; nothing if they are there.
[[nodiscard]] std::optional<Failure> missing_rows(const ImageHeader& header, std::string_view format,
                                                  std::uint64_t pixels_at, std::uint64_t row_bytes,
                                                  std::uint64_t file_bytes);

/// The orientation of a TIFF structure, which is what EXIF is; 1 for anything that makes no sense.
[[nodiscard]] int exif_orientation(const ByteView& tiff) noexcept;

/// Sets `orientation` and the `oriented` extent that goes with it.
void set_orientation(ImageHeader& header, int orientation) noexcept;

}  // namespace pantile::detail
