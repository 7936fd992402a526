#include "codec/pnm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

void store(Image& into, std::size_t sample, std::uint32_t value) noexcept {
  if (into.depth() == Depth::u16) {
    const auto wide = static_cast<std::uint16_t>(value);
    std::memcpy(into.bytes().data() + 2 * sample, &wide, 2);
  } else {
    into.bytes()[sample] = static_cast<std::byte>(value);
  }
}

/// The largest value becomes 255 or 65535; nothing for a larger one.
std::optional<std::uint32_t> scaled(const PnmLayout& layout, std::uint32_t value) noexcept {
  if (value > layout.largest) {
    return {};
  }
  const std::uint32_t white = layout.header.bits == 16 ? 65'535 : 255;
  value = layout.black_is_one ? 1 - value : value;
  return static_cast<std::uint32_t>((std::uint64_t{value} * white * 2 + layout.largest) /
                                    (std::uint64_t{2} * layout.largest));
}

/// The next number of a text; nothing at its end, or where something else stands.
std::optional<std::uint32_t> next_number(const ByteView& file, std::size_t& at, bool one_digit) noexcept {
  const auto is_digit = [&] { return at < file.size() && file.u8(at) >= '0' && file.u8(at) <= '9'; };
  while (at < file.size() && !is_digit()) {
    if (file.u8(at) == '#') {
      while (at < file.size() && file.u8(at) != '\n') {
        ++at;
      }
    } else if (file.u8(at) > ' ') {
      return {};
    } else {
      ++at;
    }
  }
  constexpr std::uint32_t too_much = 65'536;  // For any sample, however many digits follow.
  std::uint32_t value = 0;
  const std::size_t begin = at;
  for (; is_digit() && (at == begin || !one_digit); ++at) {
    value = std::min(value * 10 + (file.u8(at) - '0'), too_much);
  }
  return at == begin ? std::nullopt : std::optional{value};
}

std::uint32_t sample_at(const ByteView& row, const PnmLayout& layout, std::size_t sample) noexcept {
  if (layout.packed) {
    return row.u8(sample / 8) >> (7 - sample % 8) & 1U;
  }
  return layout.largest > 255 ? row.be16(2 * sample) : row.u8(sample);
}

Failure damaged(const PnmLayout& layout, std::size_t sample, Fault fault) {
  const std::size_t row = sample / (static_cast<std::size_t>(layout.header.stored.width) *
                                    static_cast<std::size_t>(layout.header.channels));
  return {fault, fmt::format("PNM {} after {} of {} rows", fault == Fault::truncated ? "ends" : "is damaged", row,
                             layout.header.stored.height)};
}

}  // namespace

std::optional<Failure> decode_pnm(std::span<const std::byte> encoded, Image& into) {
  Head head{encoded, encoded.size()};
  const Result<PnmLayout> parsed = parse_pnm(head);
  if (!parsed) {
    return parsed.failure();
  }
  const PnmLayout& layout = parsed.value();
  const ByteView file{encoded};
  const std::size_t row_samples =
      static_cast<std::size_t>(layout.header.stored.width) * static_cast<std::size_t>(layout.header.channels);
  const std::size_t samples = row_samples * static_cast<std::size_t>(layout.header.stored.height);
  std::size_t at = static_cast<std::size_t>(layout.pixels_at);
  for (std::size_t sample = 0; sample < samples; ++sample) {
    std::optional<std::uint32_t> value;
    if (layout.as_text) {
      value = next_number(file, at, layout.black_is_one);
      if (!value) {
        return damaged(layout, sample, at >= file.size() ? Fault::truncated : Fault::corrupt);
      }
    } else {
      const std::size_t row = sample / row_samples * static_cast<std::size_t>(layout.row_bytes);
      value = sample_at(file.part(at + row, static_cast<std::size_t>(layout.row_bytes)), layout, sample % row_samples);
    }
    value = scaled(layout, *value);
    if (!value) {
      return damaged(layout, sample, Fault::corrupt);
    }
    store(into, sample, *value);
  }
  return {};
}

}  // namespace pantile::detail
