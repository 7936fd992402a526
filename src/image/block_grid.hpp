#pragma once
// The fixed grids that formats are made of. They never depend on ranks, tiles or caps.

#include <cstdint>

#include "base/error.hpp"
#include "base/extent.hpp"
#include "base/ids.hpp"

namespace pantile {

/// Side of a block: the atom of commit, in output pixels, counted from (0, 0).
inline constexpr int block_side_px = 2048;
/// Side of a chunk of the datasets of items of several blocks.
inline constexpr int block_chunk_side_px = 512;
/// Side of a cell: the atom of the digest.
inline constexpr int cell_side_px = 256;

/// An extent cut into squares of `side` from (0, 0), row-major; those at the far edges are smaller.
class SquareGrid {
 public:
  constexpr SquareGrid(Extent extent, int side) : extent_{extent}, side_{side} {}
  [[nodiscard]] constexpr int rows() const noexcept { return squares(extent_.height); }
  [[nodiscard]] constexpr int columns() const noexcept { return squares(extent_.width); }
  /// As many as there are, of any extent.
  [[nodiscard]] constexpr std::uint64_t count() const noexcept {
    return static_cast<std::uint64_t>(rows()) * static_cast<std::uint64_t>(columns());
  }
  [[nodiscard]] constexpr std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(rows()) * static_cast<std::uint32_t>(columns());
  }
  /// Precondition: at < size().
  [[nodiscard]] constexpr Rect rect(std::uint32_t at) const {
    expect(at < size(), "the square is in the grid");
    const int y = static_cast<int>(at / static_cast<std::uint32_t>(columns())) * side_;
    const int x = static_cast<int>(at % static_cast<std::uint32_t>(columns())) * side_;
    return {y, x, std::min(side_, extent_.height - y), std::min(side_, extent_.width - x)};
  }

 private:
  /// The sum of both may be more than an int holds.
  [[nodiscard]] constexpr int squares(int length) const noexcept {
    return length / side_ + (length % side_ > 0 ? 1 : 0);
  }

  Extent extent_;
  int side_;
};

/// The blocks of one output of one item.
class BlockGrid {
 public:
  explicit constexpr BlockGrid(Extent item) : squares_{item, block_side_px} {}
  [[nodiscard]] constexpr std::uint32_t size() const noexcept { return squares_.size(); }
  [[nodiscard]] constexpr std::uint64_t count() const noexcept { return squares_.count(); }
  [[nodiscard]] constexpr Rect rect(BlockId block) const { return squares_.rect(index(block)); }
  [[nodiscard]] constexpr int columns() const noexcept { return squares_.columns(); }

 private:
  SquareGrid squares_;
};

}  // namespace pantile
