#include "codec/header.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.hpp"
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

namespace {

Failure not_read(std::string_view format) {
  return {Fault::unsupported, fmt::format("{} is not read by this version. Convert it to PNG", format)};
}

Result<ImageHeader> parse(Head& head) {
  using namespace std::string_view_literals;
  const ByteView magic = head.view(0, 12);
  if (magic.begins_with("\x89PNG\r\n\x1a\n"sv)) {
    return parse_png_header(head);
  }
  if (magic.begins_with("\xFF\xD8\xFF"sv)) {
    return parse_jpeg_header(head);
  }
  for (const auto tiff : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (magic.begins_with(tiff)) {
      return not_read("TIFF");
    }
  }
  if (magic.begins_with("RIFF"sv) && magic.begins_with("WEBP"sv, 8)) {
    return not_read("WebP");
  }
  if (magic.begins_with("GIF87a"sv) || magic.begins_with("GIF89a"sv)) {
    return not_read("GIF");
  }
  // "BM" alone is how a text may begin: the four reserved bytes are 0 in a bitmap.
  if (magic.begins_with("BM"sv) && magic.begins_with("\0\0\0\0"sv, 6)) {
    return not_read("BMP");
  }
  if (magic.size() == 0) {
    return head.why_short();
  }
  return Failure{Fault::not_an_image, "the file does not begin like an image"};
}

Failure unreadable(std::string_view doing, int error) {
  return {Fault::unreadable, fmt::format("cannot {}: {}", doing, std::strerror(error))};
}

/// Reads `to.size()` bytes from `from` on, fewer at the end of the file; −1 with errno on failure.
ssize_t read_from(int fd, std::span<std::byte> to, std::size_t from) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t some = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(from + done));
    if (some < 0 && errno == EINTR) {
      continue;
    }
    if (some < 0) {
      return -1;
    }
    if (some == 0) {
      break;
    }
    done += static_cast<std::size_t>(some);
  }
  return static_cast<ssize_t>(done);
}

std::size_t head_end(std::uint64_t bytes) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, header_limit_bytes));
}

}  // namespace

bool ByteView::begins_with(std::string_view magic, std::size_t at) const noexcept {
  return has(at, magic.size()) && std::memcmp(bytes_.data() + at, magic.data(), magic.size()) == 0;
}

Head::Head(std::span<const std::byte> head, std::uint64_t file_bytes) noexcept
    : end_{head_end(head.size())}, file_bytes_{file_bytes}, window_{head.first(end_)} {}

Head::Head(int fd, std::uint64_t file_bytes) noexcept : end_{head_end(file_bytes)}, file_bytes_{file_bytes}, fd_{fd} {}

ByteView Head::view(std::size_t at, std::size_t count) {
  at = std::min(at, end_);
  count = std::min(count, end_ - at);
  const bool inside = at >= window_at_ && at + count <= window_at_ + window_.size();
  if (!inside && fd_ >= 0 && error_ == 0) {
    constexpr std::size_t read_bytes = 4096;
    buffer_.resize(std::max(count, std::min(read_bytes, end_ - at)));
    const ssize_t got = read_from(fd_, buffer_, at);
    error_ = got < 0 ? errno : 0;
    window_at_ = at;
    window_ = std::span<const std::byte>{buffer_}.first(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  const std::size_t skip = at >= window_at_ ? std::min(at - window_at_, window_.size()) : window_.size();
  return ByteView{window_.subspan(skip, std::min(count, window_.size() - skip))};
}

Failure Head::why_short() const {
  if (error_ != 0) {
    return unreadable("read it", error_);
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
  }
  return "?";
}

Result<ImageHeader> probe(std::span<const std::byte> head, std::uint64_t file_bytes) {
  detail::Head reader{head, file_bytes};
  return detail::parse(reader);
}

ProbedFile probe_file(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe that is called page.png must not stop the listing.
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) {
    return {.header = detail::unreadable("open it", errno)};
  }
  if (!S_ISREG(facts.st_mode)) {
    return {.header = Failure{Fault::unreadable, "it is not a regular file"}};
  }
  const auto bytes = static_cast<std::uint64_t>(facts.st_size);
  const std::int64_t mtime_ns = std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec;
  detail::Head head{file.get(), bytes};
  return {.bytes = bytes, .mtime_ns = mtime_ns, .header = detail::parse(head)};
}

}  // namespace pantile
