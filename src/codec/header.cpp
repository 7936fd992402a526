#include "codec/header.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/file.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header_parts.hpp"

namespace pantile {
namespace detail {

int exif_orientation(const ByteView& tiff) noexcept {
  if (!tiff.has(0, 8)) {
    return 1;
  }
  const bool little = tiff.be16(0) == 0x4949;  // "II"
  if (!little && tiff.be16(0) != 0x4D4D) {     // "MM"
    return 1;
  }
  const auto u16 = [&](std::size_t at) { return little ? tiff.le16(at) : tiff.be16(at); };
  const auto u32 = [&](std::size_t at) { return little ? tiff.le32(at) : tiff.be32(at); };
  const std::size_t directory = u32(4);
  if (u16(2) != 42 || !tiff.has(directory, 2)) {
    return 1;
  }
  constexpr std::uint32_t orientation_tag = 0x0112;
  constexpr std::uint32_t type_short = 3;
  const std::size_t entries = u16(directory);
  for (std::size_t entry = 0; entry < entries; ++entry) {
    const std::size_t at = directory + 2 + entry * 12;
    if (!tiff.has(at, 12)) {
      return 1;
    }
    if (u16(at) == orientation_tag) {
      const std::uint32_t value = u16(at + 8);
      const bool sane = u16(at + 2) == type_short && u32(at + 4) == 1 && value >= 1 && value <= 8;
      return sane ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

void set_orientation(ImageHeader& header, int orientation) noexcept {
  header.orientation = orientation;
  // 5 to 8 swap the axes.
  header.oriented = orientation >= 5 ? Extent{header.stored.width, header.stored.height} : header.stored;
}

std::optional<Failure> set_extent(ImageHeader& into, std::uint64_t height, std::uint64_t width,
                                  std::string_view format) {
  constexpr std::uint64_t most = 0x7FFFFFFFU;
  if (height == 0 || width == 0 || height > most || width > most) {
    return Failure{Fault::corrupt, fmt::format("{} says that it has {} rows and {} columns", format, height, width)};
  }
  into.stored = {static_cast<int>(height), static_cast<int>(width)};
  set_orientation(into, into.orientation);
  return {};
}

std::optional<Failure> missing_rows(const ImageHeader& header, std::string_view format, std::uint64_t pixels_at,
                                    std::uint64_t row_bytes, std::uint64_t file_bytes) {
  const auto rows = static_cast<std::uint64_t>(header.stored.height);
  const std::uint64_t there = file_bytes > pixels_at ? (file_bytes - pixels_at) / row_bytes : 0;
  if (there >= rows) {
    return {};
  }
  return Failure{Fault::truncated, fmt::format("{} ends after {} of {} rows", format, there, rows)};
}

namespace {

using namespace std::string_view_literals;

/// Formats that are known by their first bytes only, so that a person reads more than "not an image".
std::optional<std::string_view> known_by_name(Head& head) {
  const ByteView magic = head.view(0, 132);
  const auto is_box = [&](std::string_view brand) {
    return magic.begins_with("ftyp"sv, 4) && magic.begins_with(brand, 8);
  };
  if (is_box("avif"sv) || is_box("avis"sv)) {
    return "AVIF";
  }
  if (is_box("heic"sv) || is_box("heix"sv) || is_box("mif1"sv) || is_box("hevc"sv) || is_box("msf1"sv)) {
    return "HEIF";
  }
  if (magic.begins_with("\xFF\x0A"sv) || magic.begins_with("\0\0\0\x0CJXL \r\n\x87\n"sv)) {
    return "JPEG XL";
  }
  if (magic.begins_with("\x76\x2F\x31\x01"sv)) {
    return "OpenEXR";
  }
  if (magic.begins_with("#?RADIANCE"sv) || magic.begins_with("#?RGBE"sv)) {
    return "Radiance HDR";
  }
  if (magic.begins_with("PF\n"sv) || magic.begins_with("Pf\n"sv)) {
    return "PFM";
  }
  if (magic.begins_with("8BPS"sv)) {
    return "Photoshop PSD";
  }
  if (magic.begins_with("DICM"sv, 128)) {
    return "DICOM";
  }
  if (magic.begins_with("%PDF-"sv)) {
    return "PDF";
  }
  return {};
}

Result<ImageHeader> parse(Head& head) {
  const ByteView magic = head.view(0, 12);
  if (magic.begins_with("\x89PNG\r\n\x1a\n"sv)) {
    return parse_png_header(head);
  }
  if (magic.begins_with("\xFF\xD8\xFF"sv)) {
    return parse_jpeg_header(head);
  }
  for (const auto tiff : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (magic.begins_with(tiff)) {
      return parse_tiff_header(head);
    }
  }
  if (magic.begins_with("RIFF"sv) && magic.begins_with("WEBP"sv, 8)) {
    return parse_webp_header(head);
  }
  if (magic.begins_with("GIF87a"sv) || magic.begins_with("GIF89a"sv)) {
    return parse_gif_header(head);
  }
  // "BM" alone is how a text may begin: the four reserved bytes are 0 in a bitmap.
  if (magic.begins_with("BM"sv) && magic.begins_with("\0\0\0\0"sv, 6)) {
    return parse_bmp_header(head);
  }
  const bool letter_p = magic.has(0, 3) && magic.u8(0) == 'P' && (magic.u8(2) <= ' ' || magic.u8(2) == '#');
  if (letter_p && magic.u8(1) >= '1' && magic.u8(1) <= '7') {
    return parse_pnm_header(head);
  }
  if (magic.begins_with("\x59\xA6\x6A\x95"sv)) {
    return parse_sun_raster_header(head);
  }
  if (magic.begins_with("\0\0\0\x0CjP  \r\n\x87\n"sv) || magic.begins_with("\xFF\x4F\xFF\x51"sv)) {
    return parse_jpeg2000_header(head);
  }
  if (magic.size() == 0) {
    return head.why_short();
  }
  if (const auto known = known_by_name(head)) {
    return Failure{Fault::unsupported, fmt::format("{} is not read by this version. Convert it to PNG", *known)};
  }
  return Failure{Fault::not_an_image, "the file does not begin like an image"};
}

Failure unreadable(std::string_view doing, int error) {
  return {Fault::unreadable, fmt::format("cannot {}: {}", doing, std::strerror(error))};
}

}  // namespace

bool ByteView::begins_with(std::string_view magic, std::size_t at) const noexcept {
  return has(at, magic.size()) && std::memcmp(bytes_.data() + at, magic.data(), magic.size()) == 0;
}

Head::Head(std::span<const std::byte> head, std::uint64_t file_bytes) noexcept
    : there_{head.size()},
      end_{std::min<std::uint64_t>(there_, header_limit_bytes)},
      file_bytes_{file_bytes},
      window_{head} {}

Head::Head(ByteReader& file)
    : there_{file.size()},
      end_{std::min<std::uint64_t>(there_, header_limit_bytes)},
      file_bytes_{there_},
      file_{&file} {}

ByteView Head::view(std::uint64_t at, std::size_t count) {
  at = std::min(at, end_);
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, end_ - at));
  const bool inside = at >= window_at_ && at + count <= window_at_ + window_.size();
  if (!inside && file_ != nullptr && error_.empty()) {
    constexpr std::uint64_t read_bytes = 4096;
    buffer_.resize(std::max(count, static_cast<std::size_t>(std::min(read_bytes, end_ - at))));
    window_ = {};
    window_at_ = at;
    try {
      window_ = std::span<const std::byte>{buffer_}.first(file_->read_at(at, buffer_));
    } catch (const Error& error) {
      error_ = error.what();
    }
  }
  const std::uint64_t skip =
      at >= window_at_ ? std::min<std::uint64_t>(at - window_at_, window_.size()) : window_.size();
  const auto rest = window_.subspan(static_cast<std::size_t>(skip));
  return ByteView{rest.first(std::min(count, rest.size()))};
}

Failure Head::why_short() const {
  if (!error_.empty()) {
    return {Fault::unreadable, error_};
  }
  if (file_bytes_ == 0) {
    return {Fault::not_an_image, "the file is empty"};
  }
  if (end_ < file_bytes_) {
    return {Fault::unsupported, fmt::format("the header goes on beyond the first {} bytes", end_)};
  }
  return {Fault::truncated, fmt::format("the file ends inside its header, after {} bytes", file_bytes_)};
}

}  // namespace detail

std::string_view name(ImageFormat format) noexcept {
  switch (format) {
    case ImageFormat::unknown: return "unknown";
    case ImageFormat::png: return "png";
    case ImageFormat::jpeg: return "jpeg";
    case ImageFormat::webp: return "webp";
    case ImageFormat::tiff: return "tiff";
    case ImageFormat::bmp: return "bmp";
    case ImageFormat::gif: return "gif";
    case ImageFormat::pnm: return "pnm";
    case ImageFormat::pam: return "pam";
    case ImageFormat::sun_raster: return "sun raster";
    case ImageFormat::jpeg2000: return "jpeg 2000";
  }
  return "?";
}

Result<ImageHeader> probe(std::span<const std::byte> head, std::uint64_t file_bytes) {
  detail::Head reader{head, file_bytes};
  return detail::parse(reader);
}

Result<ImageHeader> probe(ByteReader& file) {
  detail::Head reader{file};
  return detail::parse(reader);
}

ProbedFile probe_file(const std::filesystem::path& path) {
  File file{open_without_waiting(path, O_RDONLY)};  // A pipe that is called page.png must not stop the listing.
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) {
    return {.header = detail::unreadable("open it", errno)};
  }
  if (!S_ISREG(facts.st_mode)) {
    return {.header = Failure{Fault::unreadable, "it is not a regular file"}};
  }
  const auto bytes = static_cast<std::uint64_t>(facts.st_size);
  const std::int64_t mtime_ns = std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec;
  FileReader reader{std::move(file), bytes};
  return {.bytes = bytes, .mtime_ns = mtime_ns, .header = probe(reader)};
}

}  // namespace pantile
