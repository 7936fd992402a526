#pragma once
// How the pixels of a tensor depend on the pixels of the image, along one axis. Pure.
//
// A tensor has `density` pixels for each `period` of image pixels; the image has a whole number of periods. Its pixel
// density·m + phase depends on the image pixels [period·m + windows[phase].first, period·m + windows[phase].last]: the
// same windows for all m, which is what makes tiles possible.
//
//     after a 3×3 convolution without padding: period 1, density 1, n − 2 pixels, pixel m sees [m, m + 2];
//     after one more of stride 2: period 2, density 1, n/2 − 2 pixels, pixel m sees [2m, 2m + 4].

#include <cstdint>
#include <optional>
#include <vector>

namespace pantile::detail {

/// Image pixels, relative to the start of the period, both ends included. Empty (first > last) for pixels that see
/// nothing, such as the gaps of a transposed convolution whose stride is larger than its kernel.
struct Window {
  std::int64_t first = INT32_MAX;
  std::int64_t last = INT32_MIN;
  bool operator==(const Window&) const = default;
};

struct AxisMap {
  int density = 1;
  int period = 1;
  std::int64_t offset = 0;  ///< for an image of n pixels the tensor has density × n / period + offset
  std::vector<Window> windows{{0, 0}};
  /// How many pixels at either end depend on padding, that is on something which is no pixel of the image.
  std::int64_t unclean_begin = 0;
  std::int64_t unclean_end = 0;
};

/// A window that slides over an axis, as ONNX describes it.
struct Kernel {
  int size = 1;
  int dilation = 1;
  int stride = 1;
  int pad_begin = 0;  ///< negative: cropped
  int pad_end = 0;
  bool rounds_up = false;  ///< one more position where the last one is only partly inside (ceil_mode of pools)
};

/// An interpolation: output pixel step·m + r reads `taps[r]`, relative to input pixel stride·m. One of the two is 1.
struct Interpolation {
  int step = 1;
  int stride = 1;
  std::vector<std::vector<std::int64_t>> taps;
};

/// A longer period must never be needed: images would have to be extended by more than anybody wants.
inline constexpr int largest_period = 512;

/// The same map, told by a period that is `factor` times as long.
[[nodiscard]] AxisMap with_longer_period(const AxisMap& map, int factor);

/// Convolution or pooling. Nothing if the period became too long.
[[nodiscard]] std::optional<AxisMap> convolved(const AxisMap& input, const Kernel& kernel);

[[nodiscard]] AxisMap transposed_convolved(const AxisMap& input, const Kernel& kernel, int output_padding);

/// Nothing if the output would not have step/stride times the pixels of the input, or the period became too long.
[[nodiscard]] std::optional<AxisMap> interpolated(const AxisMap& input, const Interpolation& how);

/// Each pixel becomes `factor` pixels: nearest neighbour, DepthToSpace.
[[nodiscard]] AxisMap repeated(const AxisMap& input, int factor);

/// Padded, or cropped where negative.
[[nodiscard]] AxisMap padded(const AxisMap& input, int begin, int end);

/// Pixel by pixel from two tensors. Nothing if their sizes differ for some image.
[[nodiscard]] std::optional<AxisMap> merged(const AxisMap& a, const AxisMap& b);

}  // namespace pantile::detail
