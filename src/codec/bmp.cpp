#include "codec/bmp.hpp"

#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

/// OpenCV shifts samples of 5 and 6 bits up, so that white is 248 and 252; here it is 255.
void widen(const BmpLayout& layout, Image& image) noexcept {
  const auto widened = [](std::byte sample, unsigned bits) {
    const unsigned value = std::to_integer<unsigned>(sample) >> (8 - bits);
    return static_cast<std::byte>(value * 255 / ((1U << bits) - 1));
  };
  auto bytes = image.bytes();
  for (std::size_t at = 0; at + 2 < bytes.size(); at += 3) {
    bytes[at] = widened(bytes[at], 5);
    bytes[at + 1] = widened(bytes[at + 1], layout.green_bits);
    bytes[at + 2] = widened(bytes[at + 2], 5);
  }
}

}  // namespace

std::optional<Failure> decode_bmp(std::span<const std::byte> encoded, Image& into) {
  const ByteView file{encoded};
  const Result<BmpLayout> layout = parse_bmp(file, encoded.size());
  if (!layout) {
    return layout.failure();
  }
  if (layout.value().run_length) {
    if (auto failure = check_bmp_runs(file, layout.value())) {
      return failure;
    }
  }
  auto failure = decode_with_opencv(encoded, layout.value().header, into);
  if (!failure && layout.value().bits == 16) {
    widen(layout.value(), into);
  }
  return failure;
}

}  // namespace pantile::detail
