#include <algorithm>
#include <cstring>

#include "codec/cmyk.hpp"
#include "codec/tiff.hpp"

namespace pantile::detail {
namespace {

std::uint32_t sample_of(const std::byte* row, int bits, std::size_t at) noexcept {
  if (bits == 16) {
    std::uint16_t wide = 0;
    std::memcpy(&wide, row + 2 * at, 2);
    return wide;
  }
  if (bits == 8) {
    return std::to_integer<std::uint32_t>(row[at]);
  }
  const std::size_t bit = at * static_cast<std::size_t>(bits);
  const auto byte = std::to_integer<std::uint32_t>(row[bit / 8]);
  return byte >> (8 - static_cast<std::size_t>(bits) - bit % 8) & ((1U << static_cast<unsigned>(bits)) - 1);
}

void put(std::byte*& to, bool wide, std::uint32_t value) noexcept {
  if (wide) {
    const auto sample = static_cast<std::uint16_t>(value);
    std::memcpy(to, &sample, 2);
    to += 2;
  } else {
    *to++ = static_cast<std::byte>(value);
  }
}

/// The colour before it was multiplied with alpha, as Pillow computes it.
std::uint32_t divided(std::uint32_t colour, std::uint32_t alpha, std::uint32_t full) noexcept {
  return alpha == 0 ? 0
                    : static_cast<std::uint32_t>(std::min<std::uint64_t>(full, std::uint64_t{colour} * full / alpha));
}

}  // namespace

void unpack_tiff(const TiffLayout& layout, const TiffPalette& palette, std::span<const std::byte* const> rows,
                 std::size_t first, std::size_t pixels, std::byte* to) noexcept {
  const int bits = layout.header.bits;
  const bool wide = bits == 16;
  const std::uint32_t full = wide ? 65'535 : 255;
  const std::uint32_t largest = (1U << static_cast<unsigned>(bits)) - 1;
  const auto samples = static_cast<std::size_t>(layout.samples);
  const bool planes = rows.size() > 1;
  for (std::size_t pixel = first; pixel < first + pixels; ++pixel) {
    const auto sample = [&](std::size_t number) {
      return planes ? sample_of(rows[number], bits, pixel) : sample_of(rows[0], bits, pixel * samples + number);
    };
    switch (layout.colour) {
      case TiffColour::palette: {
        const auto& colour = palette[sample(0)];
        std::memcpy(to, colour.data(), colour.size());
        to += colour.size();
        break;
      }
      case TiffColour::cmyk: {
        const std::uint32_t black = sample(3);
        for (std::size_t ink = 0; ink < 3; ++ink) {
          put(to, wide, light_through(sample(ink), black, full));
        }
        break;
      }
      default: {
        const bool inverted = layout.colour == TiffColour::white_is_zero;
        const std::size_t colours =
            static_cast<std::size_t>(layout.header.channels - (layout.header.has_alpha ? 1 : 0));
        const std::uint32_t alpha = layout.header.has_alpha ? sample(colours) * (full / largest) : full;
        for (std::size_t number = 0; number < colours; ++number) {
          std::uint32_t value = sample(number) * (full / largest);
          value = layout.alpha == TiffAlpha::associated ? divided(value, alpha, full) : value;
          put(to, wide, inverted ? full - value : value);
        }
        if (layout.header.has_alpha) {
          put(to, wide, alpha);
        }
      }
    }
  }
}

}  // namespace pantile::detail
