#pragma once
// Behind decode.hpp: what of a BMP's header its decoder needs beyond an ImageHeader.

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "codec/header_parts.hpp"

namespace pantile::detail {

struct BmpLayout {
  ImageHeader header{};
  std::uint32_t bits = 0;        ///< of a pixel
  std::uint32_t pixels_at = 0;   ///< in the file
  std::uint32_t green_bits = 5;  ///< of a pixel of 16 bits; red and blue have 5
  bool run_length = false;
  bool has_alpha = false;
};

/// `head`: at least the first 138 bytes, or as many as there are. Checks that the rows of uncompressed pixels are
/// there.
[[nodiscard]] Result<BmpLayout> parse_bmp(const ByteView& head, std::uint64_t file_bytes);

/// What is wrong with run-length coded pixels, of which OpenCV would leave out what is missing.
[[nodiscard]] std::optional<Failure> check_bmp_runs(const ByteView& file, const BmpLayout& layout);

}  // namespace pantile::detail
