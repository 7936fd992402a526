#include <cstring>
#include <utility>

#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

/// Where output pixel (0, 0) lies in the stored image, and how many bytes a step along each output axis is there.
struct Walk {
  const std::byte* origin;
  std::ptrdiff_t down;
  std::ptrdiff_t right;
};

Walk walk_of(const ImageView& stored, int orientation) noexcept {
  const auto pixel = static_cast<std::ptrdiff_t>(stored.pixel_bytes());
  const auto row = static_cast<std::ptrdiff_t>(stored.row_bytes());
  const std::byte* const top_left = stored.data;
  const std::byte* const top_right = top_left + row - pixel;
  const std::byte* const bottom_left = top_left + row * (stored.extent.height - 1);
  const std::byte* const bottom_right = bottom_left + row - pixel;
  switch (orientation) {
    case 2: return {top_right, row, -pixel};
    case 3: return {bottom_right, -row, -pixel};
    case 4: return {bottom_left, -row, pixel};
    case 5: return {top_left, pixel, row};
    case 6: return {bottom_left, pixel, -row};
    case 7: return {bottom_right, -pixel, -row};
    case 8: return {top_right, -pixel, row};
    default: return {top_left, row, pixel};
  }
}

/// In squares, so that the columns read stay in the cache until their next pixels are wanted.
template <std::size_t PixelBytes>
void copy(const Walk& walk, Image& out) {
  constexpr int square_px = 64;
  const auto [height, width] = out.extent();
  for (int top = 0; top < height; top += square_px) {
    for (int left = 0; left < width; left += square_px) {
      for (int y = top; y < std::min(top + square_px, height); ++y) {
        std::byte* to = out.row(y) + static_cast<std::size_t>(left) * PixelBytes;
        const std::byte* from = walk.origin + y * walk.down + left * walk.right;
        for (int x = left; x < std::min(left + square_px, width); ++x, to += PixelBytes, from += walk.right) {
          std::memcpy(to, from, PixelBytes);
        }
      }
    }
  }
}

}  // namespace

Image turned(Image stored, int orientation) {
  if (orientation == 1) {
    return stored;
  }
  const ImageView view = stored.view();
  const Extent extent = orientation >= 5 ? Extent{view.extent.width, view.extent.height} : view.extent;
  Image out{extent, view.channels, view.depth};
  const Walk walk = walk_of(view, orientation);
  switch (view.pixel_bytes()) {
    case 1: copy<1>(walk, out); break;
    case 2: copy<2>(walk, out); break;
    case 3: copy<3>(walk, out); break;
    case 4: copy<4>(walk, out); break;
    case 6: copy<6>(walk, out); break;
    default: copy<8>(walk, out); break;
  }
  return out;
}

}  // namespace pantile::detail
