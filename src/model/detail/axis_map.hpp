#pragma once
// How the pixels of a tensor depend on the pixels of the image, along one axis. Pure.
//
// A tensor has `density` pixels per image pixel. Its pixel density·q + phase depends on the image pixels
// [q + windows[phase].first, q + windows[phase].last]: the same window for all q, which is what makes tiles possible.
// Example: after a 3×3 convolution without padding density is 1, there are n − 2 pixels, and pixel q sees [q, q + 2].

#include <cstdint>
#include <optional>
#include <vector>

namespace pantile::detail {

/// Image pixels, relative to q, both ends included. Empty (first > last) for pixels that see nothing, such as the gaps
/// of a transposed convolution whose stride is larger than its kernel.
struct Window {
  std::int64_t first = INT32_MAX;
  std::int64_t last = INT32_MIN;
  bool operator==(const Window&) const = default;
};

struct AxisMap {
  int density = 1;
  std::int64_t offset = 0;  ///< for an image of n pixels the tensor has density × n + offset
  std::vector<Window> windows{{0, 0}};
  /// How many pixels at either end depend on padding, that is on something which is no pixel of the image.
  std::int64_t unclean_begin = 0;
  std::int64_t unclean_end = 0;

  /// Over all phases.
  [[nodiscard]] Window hull() const;
};

/// A window that slides over an axis, as ONNX describes it.
struct Kernel {
  int size = 1;
  int dilation = 1;
  int stride = 1;
  int pad_begin = 0;  ///< negative: cropped
  int pad_end = 0;
};

/// Convolution or pooling. Nothing if the stride does not divide the density: then there is less than one pixel per
/// image pixel, and tiles would have to be aligned.
[[nodiscard]] std::optional<AxisMap> convolved(const AxisMap& input, const Kernel& kernel);

[[nodiscard]] AxisMap transposed_convolved(const AxisMap& input, const Kernel& kernel, int output_padding);

/// Each pixel becomes `factor` pixels: nearest neighbour, DepthToSpace.
[[nodiscard]] AxisMap repeated(const AxisMap& input, int factor);

/// Padded, or cropped where negative.
[[nodiscard]] AxisMap padded(const AxisMap& input, int begin, int end);

/// Pixel by pixel from two tensors. Nothing if their sizes differ for some image.
[[nodiscard]] std::optional<AxisMap> merged(const AxisMap& a, const AxisMap& b);

}  // namespace pantile::detail
