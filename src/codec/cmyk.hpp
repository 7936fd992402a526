#pragma once

#include <cstdint>

namespace pantile::detail {

/// Light of one colour that is left by an ink and by black, both 0 (none) to `full` (255 or 65535): what Pillow's
/// convert("RGB") computes. No colour profile is applied.
[[nodiscard]] constexpr std::uint32_t light_through(std::uint32_t ink, std::uint32_t black,
                                                    std::uint32_t full) noexcept {
  const std::uint32_t paper = full - black;
  return paper - static_cast<std::uint32_t>((std::uint64_t{ink} * paper + full / 2) / full);
}

}  // namespace pantile::detail
