#pragma once
// The plain records that travel from the executor through the rank into the shard, and from there into index and
// journal.

#include <cstdint>
#include <string>

#include "base/extent.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"

namespace pantile {

/// Type of one value of an output. The numbers enter the record digest: never change one.
enum class DType : std::uint8_t { u8 = 1, u16 = 2, f16 = 3, f32 = 4 };

[[nodiscard]] constexpr std::size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::u8: return 1;
    case DType::u16:
    case DType::f16: return 2;
    case DType::f32: return 4;
  }
  return 0;
}

/// numpy's name of it: "uint8".
[[nodiscard]] constexpr const char* name(DType dtype) noexcept {
  switch (dtype) {
    case DType::u8: return "uint8";
    case DType::u16: return "uint16";
    case DType::f16: return "float16";
    case DType::f32: return "float32";
  }
  return "?";
}

/// What is known of one finished block: its row in the shard's /index.
struct BlockRow {
  BlockKey key;
  std::uint32_t attempt = 1;  ///< 1 for the first try of the item
  Extent item_extent;         ///< of the item's whole output, pixels
  Rect rect;                  ///< of this block in it, pixels
  std::int32_t channels = 0;
  DType dtype = DType::u8;
  Hash128 digest;                ///< sum over the block's cells (store/digest.hpp)
  std::uint64_t input_xxh3 = 0;  ///< xxh3_64 of the encoded input file
  Extent tile;                   ///< core input pixels of the largest tile that made it
  std::string device_class;      ///< "cpu:avx512"
  float milliseconds = 0;        ///< compute time of its tiles, summed over lanes
  std::uint64_t peak_bytes = 0;  ///< largest engine memory of one of its tiles

  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return static_cast<std::uint64_t>(rect.area()) * static_cast<std::uint64_t>(channels) * size_of(dtype);
  }
};

/// Something that ran: what, where, from when to when. Microseconds of the rank's steady clock since its start.
struct Span {
  const char* what = "";  ///< a string literal: "decode", "compute", "dropped", "write", "seal", …
  std::uint32_t lane = 0;
  ItemId item{};
  BlockId block{};
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};

}  // namespace pantile
