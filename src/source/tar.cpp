#include "source/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "source/names.hpp"

namespace pantile::detail {
namespace {

constexpr std::uint64_t block_bytes = 512;
/// Of a record that only describes the next member: longer ones are damage, an attack, or very long attributes.
constexpr std::uint64_t most_described = 1 << 20;

using Block = std::array<std::byte, block_bytes>;

std::string_view text_at(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view field{reinterpret_cast<const char*>(block.data()) + at, size};
  return field.substr(0, field.find('\0'));
}

/// A number in octal digits, or in base 256 where its first bit is set (GNU, for what octal cannot hold).
std::optional<std::uint64_t> number_at(const Block& block, std::size_t at, std::size_t size) {
  if ((block[at] & std::byte{0x80}) != std::byte{0}) {
    std::uint64_t value = std::to_integer<std::uint64_t>(block[at] & std::byte{0x3F});
    for (std::size_t i = at + 1; i < at + size; ++i) {
      if (value >> 55U != 0) {
        return std::nullopt;
      }
      value = value << 8U | std::to_integer<std::uint64_t>(block[i]);
    }
    return value;
  }
  std::uint64_t value = 0;
  bool begun = false;
  for (std::size_t i = at; i < at + size; ++i) {
    const char c = static_cast<char>(block[i]);
    if (c >= '0' && c <= '7') {
      value = value * 8 + static_cast<std::uint64_t>(c - '0');
      begun = true;
    } else if (c == '\0' || (c == ' ' && begun)) {
      break;
    } else if (c != ' ') {
      return std::nullopt;
    }
  }
  return value;
}

bool is_zero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

/// The sum of the header's bytes, its own field counted as blanks. Some old programs summed signed bytes.
bool has_right_sum(const Block& block) {
  constexpr std::size_t sum_at = 148;
  constexpr std::size_t sum_size = 8;
  std::int64_t plain = 0;
  std::int64_t with_sign = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= sum_at && i < sum_at + sum_size;
    const auto value = own ? std::uint8_t{' '} : std::to_integer<std::uint8_t>(block[i]);
    plain += value;
    with_sign += static_cast<std::int8_t>(value);
  }
  const auto stored = number_at(block, sum_at, sum_size);
  return stored && (static_cast<std::int64_t>(*stored) == plain || static_cast<std::int64_t>(*stored) == with_sign);
}

std::string name_in(const Block& block) {
  std::string name{text_at(block, 0, 100)};
  const bool ustar = text_at(block, 257, 5) == "ustar";
  const bool gnu = text_at(block, 257, 8) == "ustar  ";  // Other things stand where ustar has its prefix.
  const std::string_view prefix = text_at(block, 345, 155);
  return ustar && !gnu && !prefix.empty() ? fmt::format("{}/{}", prefix, name) : name;
}

/// What the records before a member say of it.
struct Described {
  std::optional<std::string> name;
  std::optional<std::string> link;
  std::optional<std::uint64_t> bytes;
  bool sparse = false;
};

class TarWalk {
 public:
  TarWalk(const std::filesystem::path& path, const std::function<void(const TarMember&)>& visit)
      : path_{path}, file_{path}, visit_{visit} {}

  void run() {
    refuse_compressed();
    for (Block block{}; read_header(block);) {
      const auto bytes = number_at(block, 124, 12);
      if (!has_right_sum(block) || !bytes) {
        refuse(at_ == block_bytes ? "it is no tar archive"
                                  : fmt::format("it is damaged at byte {}", at_ - block_bytes));
      }
      take(static_cast<char>(block[156]), block, *bytes);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw UsageError{
        fmt::format("input {}: {} (its members cannot be told). Copy or pack it again.", path_.string(), why)};
  }

  void refuse_compressed() {
    std::array<std::byte, 6> head{};
    static_cast<void>(file_.read_at(0, head));
    const std::string_view magic{reinterpret_cast<const char*>(head.data()), head.size()};
    for (const std::string_view packed : {"\x1F\x8B", "BZh",
                                          "\xFD"
                                          "7zXZ",
                                          "\x28\xB5\x2F\xFD"}) {
      if (magic.starts_with(packed)) {
        throw UsageError{compressed_tar(path_)};
      }
    }
  }

  /// The next header; false at the end of the archive.
  bool read_header(Block& block) {
    const std::size_t got = file_.read_at(at_, block);
    if (got == 0 && at_ > 0) {
      log::warn("{} has no mark at its end: if it was cut short between two members, the rest of them is missing",
                path_.string());
      return false;
    }
    if (got < block.size()) {
      refuse(at_ == 0 ? "it is no tar archive" : fmt::format("it is cut short at byte {}", file_.size()));
    }
    at_ += block_bytes;
    return !is_zero(block);
  }

  void take(char type, const Block& block, std::uint64_t stored_bytes) {
    switch (type) {
      case 'L': next_.name = text_of(stored_bytes); return;
      case 'K': next_.link = text_of(stored_bytes); return;
      case 'x': read_pax(stored_bytes); return;
      case 'g': skip(stored_bytes); return;  // Facts of all members; none that we look at.
      default: break;
    }
    const Described described = std::exchange(next_, {});
    TarMember member{.name = member_name(described.name.value_or(name_in(block))),
                     .at = at_,
                     .bytes = described.bytes.value_or(stored_bytes),
                     .link = {},
                     .failure = {}};
    bool is_file = true;
    if (type == '1' || type == '2') {
      const std::string target = described.link.value_or(std::string{text_at(block, 157, 100)});
      // A hard link is named from the top, a symbolic one from the folder that it lies in.
      member.link = type == '1'
                        ? member_name(target)
                        : (std::filesystem::path{member.name}.parent_path() / target).lexically_normal().string();
      member.bytes = 0;
    } else if (type == 'S' || described.sparse) {
      member.failure = {Fault::unsupported, "it is stored as a sparse file. Pack the archive again without --sparse"};
      skip_map(type, block);
      skip(member.bytes);
    } else {
      is_file = type == '0' || type == '\0' || type == '7';
      skip(type >= '3' && type <= '6' ? 0 : member.bytes);  // Devices, folders and pipes have no bytes.
    }
    if (is_file && !member.name.empty() && !member.name.ends_with('/')) {
      visit_(member);
    }
  }

  /// The header of a sparse file of GNU has room for four of its pieces; the others follow in blocks of their own,
  /// which its size does not count.
  void skip_map(char type, const Block& header) {
    constexpr std::size_t more_in_header = 482;
    constexpr std::size_t more_in_block = 504;
    const bool gnu = type == 'S' && text_at(header, 257, 8) == "ustar  ";
    bool more = gnu && header[more_in_header] != std::byte{0};
    for (Block next{}; more; more = next[more_in_block] != std::byte{0}) {
      if (file_.read_at(at_, next) < next.size()) {
        refuse(fmt::format("it is cut short at byte {}", file_.size()));
      }
      at_ += block_bytes;
    }
  }

  void skip(std::uint64_t bytes) {
    if (bytes > file_.size() - std::min(file_.size(), at_)) {
      refuse(
          fmt::format("it is cut short: it has {} bytes, and a member goes on to byte {}", file_.size(), at_ + bytes));
    }
    at_ += (bytes + block_bytes - 1) / block_bytes * block_bytes;
  }

  std::string text_of(std::uint64_t bytes) {
    std::string text = raw(bytes);
    return text.substr(0, text.find('\0'));
  }

  std::string raw(std::uint64_t bytes) {
    if (bytes > most_described) {
      refuse(fmt::format("at byte {} it has {} bytes that describe a member, and {} are the most", at_, bytes,
                         most_described));
    }
    std::string text(static_cast<std::size_t>(bytes), '\0');
    const std::uint64_t begin = at_;
    skip(bytes);
    static_cast<void>(file_.read_at(begin, std::as_writable_bytes(std::span{text})));
    return text;
  }

  /// Lines of "LENGTH KEY=VALUE\n", where LENGTH counts all of the line.
  void read_pax(std::uint64_t bytes) {
    const std::string text = raw(bytes);
    for (std::string_view rest = text; !rest.empty() && rest.front() != '\0';) {
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
      const auto digits = static_cast<std::size_t>(end - rest.data());
      if (error != std::errc{} || length > rest.size() || length < digits + 2 || rest[digits] != ' ') {
        refuse(fmt::format("it is damaged before byte {}", at_));
      }
      const std::string_view line = rest.substr(digits + 1, length - digits - 2);
      rest.remove_prefix(length);
      const std::size_t equals = line.find('=');
      if (equals != std::string_view::npos) {
        describe(line.substr(0, equals), line.substr(equals + 1));
      }
    }
  }

  void describe(std::string_view key, std::string_view value) {
    if (key == "path") {
      next_.name = value;
    } else if (key == "linkpath") {
      next_.link = value;
    } else if (key == "size") {
      std::uint64_t bytes = 0;
      if (std::from_chars(value.data(), value.data() + value.size(), bytes).ec != std::errc{}) {
        refuse(fmt::format("it is damaged before byte {}", at_));
      }
      next_.bytes = bytes;
    } else if (key.starts_with("GNU.sparse.")) {
      next_.sparse = true;
    }
  }

  std::filesystem::path path_;
  FileReader file_;
  const std::function<void(const TarMember&)>& visit_;
  std::uint64_t at_ = 0;  ///< the next block
  Described next_;
};

}  // namespace

std::string compressed_tar(const std::filesystem::path& path) {
  return fmt::format(
      "input {}: the archive is compressed as a whole (an image in it could only be reached through all before it). "
      "Unpack it to a folder, or pack it again as .zip or as a plain .tar; images hardly shrink anyway.",
      path.string());
}

void list_tar(const std::filesystem::path& path, const std::function<void(const TarMember&)>& visit) {
  TarWalk{path, visit}.run();
}

bool is_tar_member(ByteReader& archive, std::uint64_t at, std::uint64_t bytes) {
  Block block{};
  if (at < block_bytes || archive.read_at(at - block_bytes, block) < block.size() || !has_right_sum(block)) {
    return false;
  }
  const auto stored = number_at(block, 124, 12);
  return stored && (*stored == bytes || *stored == 0);  // 0: the size is in a pax record, too large for the header
}

}  // namespace pantile::detail
