#pragma once
// Pixels in host memory: interleaved (height, width, channels), rows without padding unless a view says so.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/error.hpp"
#include "base/extent.hpp"

namespace pantile {

/// Bits of one sample. 1, 2 and 4 bit images are widened to u8 by the decoder, so that white is 255.
enum class Depth : std::uint8_t { u8 = 1, u16 = 2 };

/// Borrowed pixels; valid as long as their owner.
struct ImageView {
  const std::byte* data = nullptr;
  Extent extent;
  int channels = 0;
  Depth depth = Depth::u8;
  [[nodiscard]] std::size_t pixel_bytes() const noexcept {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(depth);
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept {
    return static_cast<std::size_t>(extent.width) * pixel_bytes();
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return static_cast<std::size_t>(extent.height) * row_bytes(); }
  [[nodiscard]] const std::byte* row(int y) const noexcept { return data + static_cast<std::size_t>(y) * row_bytes(); }
};

/// The pixels of a rectangle of an image, where nobody asks for the rest: of an image that is read by region.
struct ImagePart {
  ImageView pixels;
  Rect rect;     ///< where they lie in the image; as large as `pixels`
  Extent whole;  ///< of the image

  ImagePart(ImageView part, Rect where, Extent image) : pixels{part}, rect{where}, whole{image} {
    expect(part.extent == where.extent() && pantile::whole(image).contains(where), "a part lies in its image");
  }
  /// All of it.
  ImagePart(ImageView image)  // NOLINT(google-explicit-constructor)
      : pixels{image}, rect{pantile::whole(image.extent)}, whole{image.extent} {}
};

/// Owns pixels; the memory is not initialised.
class Image {
 public:
  Image() = default;
  /// Precondition: extent not empty, 1 ≤ channels ≤ 4. Throws std::bad_alloc.
  Image(Extent extent, int channels, Depth depth) : extent_{extent}, channels_{channels}, depth_{depth} {
    expect(!extent.empty() && channels >= 1 && channels <= 4, "an image has pixels, and 1 to 4 channels");
    data_ = std::make_unique_for_overwrite<std::byte[]>(view().bytes());
  }
  [[nodiscard]] ImageView view() const noexcept { return {data_.get(), extent_, channels_, depth_}; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_.get(), view().bytes()}; }
  [[nodiscard]] std::byte* row(int y) noexcept {
    return data_.get() + static_cast<std::size_t>(y) * view().row_bytes();
  }
  [[nodiscard]] Extent extent() const noexcept { return extent_; }
  [[nodiscard]] int channels() const noexcept { return channels_; }
  [[nodiscard]] Depth depth() const noexcept { return depth_; }

 private:
  Extent extent_;
  int channels_ = 0;
  Depth depth_ = Depth::u8;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace pantile
