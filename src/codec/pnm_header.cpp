#include <fmt/format.h>

#include <string>

#include "codec/pnm.hpp"

namespace pantile::detail {
namespace {

bool is_space(std::uint32_t letter) noexcept { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

/// Words of the header, one after the other; a # hides the rest of its line.
class Words {
 public:
  Words(Head& head, std::uint64_t at) noexcept : head_{head}, at_{at} {}

  /// Empty at the end of the file, or where 64 letters do not end.
  [[nodiscard]] std::string next() {
    std::string word;
    for (; letter() >= 0; ++at_) {
      const int code = letter();
      if (code == '#' && word.empty()) {
        skip_line();
      } else if (!is_space(static_cast<std::uint32_t>(code))) {
        word.push_back(static_cast<char>(code));
      } else if (!word.empty()) {
        break;
      }
      if (word.size() > 64) {
        return {};
      }
    }
    return word;
  }
  /// Nothing unless the next word is a number below 2^31.
  [[nodiscard]] std::optional<std::uint32_t> number() {
    const std::string word = next();
    std::uint64_t value = 0;
    for (const char digit : word) {
      if (digit < '0' || digit > '9' || value > 0x7FFFFFFFU) {
        return {};
      }
      value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    return word.empty() || value > 0x7FFFFFFFU ? std::nullopt : std::optional{static_cast<std::uint32_t>(value)};
  }
  void skip_line() {
    while (letter() >= 0 && letter() != '\n') {
      ++at_;
    }
  }
  /// Of the white space behind the last word.
  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }

 private:
  [[nodiscard]] int letter() {
    const ByteView one = head_.view(at_, 1);
    return one.size() == 0 ? -1 : static_cast<int>(one.u8(0));
  }
  Head& head_;
  std::uint64_t at_;
};

Failure nonsense() { return {Fault::corrupt, "PNM has a header that makes no sense"}; }

struct Sizes {
  std::optional<std::uint32_t> width;
  std::optional<std::uint32_t> height;
  std::optional<std::uint32_t> depth;
  std::optional<std::uint32_t> largest;
};

/// Lines of a name and a value, up to ENDHDR.
Result<Sizes> parse_pam(Words& words) {
  Sizes sizes;
  for (int lines = 0; lines < 1000; ++lines) {
    const std::string name = words.next();
    if (name == "ENDHDR") {
      return sizes;
    }
    if (name == "WIDTH") {
      sizes.width = words.number();
    } else if (name == "HEIGHT") {
      sizes.height = words.number();
    } else if (name == "DEPTH") {
      sizes.depth = words.number();
    } else if (name == "MAXVAL") {
      sizes.largest = words.number();
    } else if (name == "TUPLTYPE") {
      const std::string type = words.next();
      if (type != "BLACKANDWHITE" && type != "GRAYSCALE" && type != "RGB" && type != "BLACKANDWHITE_ALPHA" &&
          type != "GRAYSCALE_ALPHA" && type != "RGB_ALPHA") {
        return Failure{Fault::unsupported, fmt::format("PAM of the type {} is not read by this version", type)};
      }
    } else {
      return nonsense();
    }
  }
  return nonsense();
}

std::optional<Failure> missing_text(const PnmLayout& layout, std::uint64_t file_bytes) {
  const std::uint64_t samples =
      static_cast<std::uint64_t>(layout.header.stored.area()) * static_cast<std::uint64_t>(layout.header.channels);
  // A digit each, and a space between two, which a bitmap may leave out.
  const std::uint64_t least = layout.black_is_one ? samples : 2 * samples - 1;
  if (file_bytes < layout.pixels_at || file_bytes - layout.pixels_at < least) {
    return Failure{Fault::truncated, fmt::format("PNM ends after fewer than {} rows", layout.header.stored.height)};
  }
  return {};
}

}  // namespace

Result<PnmLayout> parse_pnm(Head& head) {
  const std::uint32_t kind = head.view(0, 2).u8(1) - '0';
  Words words{head, 2};
  Sizes sizes;
  if (kind == 7) {
    const Result<Sizes> parsed = parse_pam(words);
    if (!parsed) {
      return head.view(words.at(), 1).size() == 0 ? head.why_short() : parsed.failure();
    }
    sizes = parsed.value();
  } else {
    sizes.width = words.number();
    sizes.height = words.number();
    sizes.depth = kind == 3 || kind == 6 ? 3 : 1;
    sizes.largest = kind == 1 || kind == 4 ? 1 : words.number();
  }
  const bool sane = sizes.width && sizes.height && sizes.depth && sizes.largest && *sizes.depth >= 1 &&
                    *sizes.depth <= 4 && *sizes.largest >= 1 && *sizes.largest <= 65'535;
  if (head.view(words.at(), 1).size() == 0) {
    return head.why_short();
  }
  if (!sane) {
    return nonsense();
  }
  PnmLayout layout{.pixels_at = words.at() + 1,
                   .largest = *sizes.largest,
                   .as_text = kind <= 3,
                   .black_is_one = kind == 1 || kind == 4,
                   .packed = kind == 4};
  ImageHeader& header = layout.header;
  header.format = kind == 7 ? ImageFormat::pam : ImageFormat::pnm;
  header.channels = static_cast<int>(*sizes.depth);
  header.bits = layout.black_is_one ? 1 : (layout.largest > 255 ? 16 : 8);
  header.has_alpha = header.channels == 2 || header.channels == 4;
  if (auto failure = set_extent(header, *sizes.height, *sizes.width, "PNM")) {
    return std::move(*failure);
  }
  layout.row_bytes = layout.packed ? (std::uint64_t{*sizes.width} + 7) / 8
                                   : std::uint64_t{*sizes.width} * *sizes.depth * (layout.largest > 255 ? 2 : 1);
  auto failure = layout.as_text ? missing_text(layout, head.file_bytes())
                                : missing_rows(header, "PNM", layout.pixels_at, layout.row_bytes, head.file_bytes());
  if (failure) {
    return std::move(*failure);
  }
  return layout;
}

Result<ImageHeader> parse_pnm_header(Head& head) {
  const Result<PnmLayout> layout = parse_pnm(head);
  if (!layout) {
    return layout.failure();
  }
  return layout.value().header;
}

}  // namespace pantile::detail
