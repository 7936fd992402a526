#include "store/digest.hpp"

#include <cstdint>
#include <cstring>

#include "base/wire.hpp"
#include "image/block_grid.hpp"

namespace pantile {

namespace {

constexpr std::uint16_t quarantine_marker = 0xffff;  // no OutputId: a run has far fewer outputs

/// Every NaN becomes the quiet one with no payload: which NaN an operation makes differs between devices.
template <class Bits>
void make_nans_canonical(std::span<std::byte> values, Bits infinity, Bits canonical) {
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  for (std::size_t at = 0; at < values.size(); at += sizeof(Bits)) {
    Bits bits{};
    std::memcpy(&bits, values.data() + at, sizeof bits);
    if (static_cast<Bits>(bits & static_cast<Bits>(~sign)) > infinity) {
      std::memcpy(values.data() + at, &canonical, sizeof canonical);
    }
  }
}

void make_nans_canonical(std::span<std::byte> values, DType dtype) {
  if (dtype == DType::f32) {
    make_nans_canonical<std::uint32_t>(values, 0x7f800000U, 0x7fc00000U);
  } else if (dtype == DType::f16) {
    make_nans_canonical<std::uint16_t>(values, 0x7c00U, 0x7e00U);
  }
}

}  // namespace

Hash128 block_digest(ItemId item, OutputId output, DType dtype, const Rect& rect, int channels,
                     std::span<const std::byte> pixels) {
  expect(rect.y >= 0 && rect.x >= 0 && rect.y % cell_side_px == 0 && rect.x % cell_side_px == 0,
         "a block starts on a cell of the digest");
  const std::size_t pixel_bytes = static_cast<std::size_t>(channels) * size_of(dtype);
  expect(pixels.size() == static_cast<std::size_t>(rect.area()) * pixel_bytes, "a block has a value for each pixel");

  Hash128 sum;
  Bytes record;  // header and values of one cell in a row: one call of the hash is faster than a stream
  const SquareGrid cells{rect.extent(), cell_side_px};
  for (std::uint32_t at = 0; at < cells.size(); ++at) {
    const Rect cell = cells.rect(at);
    Writer header;
    header.put(item).put(output).put(static_cast<std::uint16_t>(dtype));
    header.put(static_cast<std::uint32_t>((rect.y + cell.y) / cell_side_px));
    header.put(static_cast<std::uint32_t>((rect.x + cell.x) / cell_side_px));
    header.put(static_cast<std::uint32_t>(cell.height)).put(static_cast<std::uint32_t>(cell.width));
    const std::size_t header_bytes = header.bytes().size();
    const std::size_t row_bytes = static_cast<std::size_t>(cell.width) * pixel_bytes;
    record.resize(header_bytes + static_cast<std::size_t>(cell.height) * row_bytes);
    std::memcpy(record.data(), header.bytes().data(), header_bytes);
    for (int y = 0; y < cell.height; ++y) {
      const std::size_t from = (static_cast<std::size_t>(cell.y + y) * static_cast<std::size_t>(rect.width) +
                                static_cast<std::size_t>(cell.x)) *
                               pixel_bytes;
      std::memcpy(record.data() + header_bytes + static_cast<std::size_t>(y) * row_bytes, pixels.data() + from,
                  row_bytes);
    }
    make_nans_canonical(std::span{record}.subspan(header_bytes), dtype);
    sum += xxh3_128(record);
  }
  return sum;
}

Hash128 quarantine_digest(ItemId item, Fault fault) {
  if (!is_bad_input(fault)) {
    return {};
  }
  Writer record;
  record.put(item).put(quarantine_marker).put(static_cast<std::uint16_t>(fault));
  return xxh3_128(record.bytes());
}

}  // namespace pantile
