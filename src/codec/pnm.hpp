#pragma once
// Behind decode.hpp: PBM, PGM, PPM and PAM. By ourselves: OpenCV 4.6 leaves samples as they are whose largest value is
// not 255 or 65535, so that a PGM of 12 bits would come out nearly black.

#include <cstdint>

#include "base/result.hpp"
#include "codec/header_parts.hpp"

namespace pantile::detail {

struct PnmLayout {
  ImageHeader header{};
  std::uint64_t pixels_at = 0;
  std::uint32_t largest = 1;    ///< value of a sample: this is white
  bool as_text = false;         ///< numbers in decimal digits
  bool black_is_one = false;    ///< PBM
  bool packed = false;          ///< eight pixels a byte: PBM, not as text
  std::uint64_t row_bytes = 0;  ///< in the file, if not as text
};

/// Checks that the rows are there; as text, that there may be enough of it.
[[nodiscard]] Result<PnmLayout> parse_pnm(Head& head);

}  // namespace pantile::detail
