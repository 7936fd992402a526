#pragma once
// What happens to pixels on their way into a model and out of it.
//
// The numbers are part of the output format, so that every rule stands here once: the functions marked PANTILE_HD are
// the CPU path, and nvcc compiles the same text for the GPU (with --fmad=false). Build with -ffp-contract=off.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/extent.hpp"
#include "image/image.hpp"
#include "image/tile_geometry.hpp"

#ifdef __CUDACC__
#define PANTILE_HD __host__ __device__
#else
#define PANTILE_HD
#endif

namespace pantile {

/// The channels of a model's input or output, in order. `y` and `gray` are the same number, luma; they differ in what a
/// caller does with the colour of the image afterwards.
enum class ColorMode : std::uint8_t { rgb, bgr, y, gray };

/// 3 or 1.
[[nodiscard]] constexpr int channels_of(ColorMode mode) noexcept {
  return mode == ColorMode::rgb || mode == ColorMode::bgr ? 3 : 1;
}

/// (value·scale − mean) / std, in double, rounded once. `value` is 0..255, with a fraction for 16-bit samples.
PANTILE_HD inline float normalised(double value, double scale, double mean, double std) noexcept {
  return static_cast<float>((value * scale - mean) / std);
}

/// A 16-bit sample on the scale of an 8-bit one: 65535 is 255.
PANTILE_HD inline double as_u8_scale(std::uint16_t sample) noexcept { return static_cast<double>(sample) / 257.0; }

/// Luma of 8- or 16-bit RGB, by OpenCV's integer formula (cvtColor, RGB2GRAY): weights of 15 bits, rounded half up.
PANTILE_HD inline std::uint32_t luma(std::uint32_t red, std::uint32_t green, std::uint32_t blue) noexcept {
  return (9798U * red + 19235U * green + 3735U * blue + 16384U) >> 15U;
}

/// A sample of opacity `alpha` laid over white, rounded to nearest; `white` is 255 or 65535, which is also full
/// opacity. No product passes 65535², which 32 bits hold.
PANTILE_HD inline std::uint32_t over_white(std::uint32_t sample, std::uint32_t alpha, std::uint32_t white) noexcept {
  return (sample * alpha + white * (white - alpha) + white / 2U) / white;
}

/// The coordinate inside [0, size) that stands for `at`. replicate: aaa|abcd|ddd. reflect: dcb|abcd|cba, the edge is
/// not repeated (OpenCV's REFLECT_101), and it goes to and fro where the image is smaller than the margin. With
/// Border::none `at` must be inside, and comes back as it is.
PANTILE_HD inline int border_index(int at, int size, Border border) noexcept {
  if (border == Border::replicate) {
    return at < 0 ? 0 : (at >= size ? size - 1 : at);
  }
  if (border == Border::reflect && size > 1) {
    const int period = 2 * (size - 1);
    int turned = at % period;
    turned = turned < 0 ? turned + period : turned;
    return turned < size ? turned : period - turned;
  }
  return border == Border::reflect ? 0 : at;
}

/// value·scale as a byte: clamped to 0..255, rounded half to even whatever the rounding mode of the thread. NaN is 0.
PANTILE_HD inline std::uint8_t to_u8(float value, float scale) noexcept {
  float x = value * scale;
  x = x > 0.0F ? x : 0.0F;  // NaN compares false.
  x = x < 255.0F ? x : 255.0F;
  const int whole = static_cast<int>(x);             // Truncates in every rounding mode.
  const float rest = x - static_cast<float>(whole);  // Exact.
  const int above = rest > 0.5F ? 1 : 0;
  const int half = rest == 0.5F ? 1 : 0;
  const int up = above | (half & whole);  // A half goes up from odd numbers only.
  return static_cast<std::uint8_t>(whole + up);
}

/// How samples become the floats of one channel of a model's input, in the model's order of channels.
struct ChannelScaling {
  double scale = 1.0 / 255.0;
  double mean = 0.0;
  double std = 1.0;
};

/// normalised() of every sample there is, by channel. About 1 MB; immutable, and safe to share between threads.
class InputTable {
 public:
  /// One scaling for each channel of the model's input. Precondition: 1 to 4 of them, each std not 0.
  explicit InputTable(std::span<const ChannelScaling> channels);
  [[nodiscard]] int channels() const noexcept { return channels_; }
  /// 256 floats.
  [[nodiscard]] const float* u8(int channel) const noexcept {
    return u8_.data() + static_cast<std::size_t>(channel) * 256;
  }
  /// 65536 floats.
  [[nodiscard]] const float* u16(int channel) const noexcept {
    return u16_.data() + static_cast<std::size_t>(channel) * 65536;
  }

 private:
  int channels_ = 0;
  std::vector<float> u8_;
  std::vector<float> u16_;
};

/// Lays a grey or RGB image with alpha over white, in place: its alpha stays, and means nothing any more. Others are
/// left alone, and so are the rows above `from`.
void lay_over_white(Image& image, int from = 0) noexcept;

/// The part of an image that gather_tile() looks at for this source. Pure. Precondition: the image is not empty; with
/// Border::none the source lies in it.
[[nodiscard]] Rect needed_part(Extent image, Rect source, Border border) noexcept;

/// Writes the pixels of `source` as planes (C, source.height, source.width) into `nchw`, which the caller owns.
/// Images have 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels; alpha is dropped, grey is repeated to
/// three. Pixels of `source` outside the image come from `border`. Thread safe. Preconditions: nchw has
/// channels_of(mode) × source.area() floats, as many channels as the table; with Border::none the source lies in the
/// image; the part has all of the image that the source and its border ask for (needed_part()).
void gather_tile(const ImagePart& image, Rect source, Border border, ColorMode mode, const InputTable& table,
                 std::span<float> nchw);

/// Writes the part `owned` of a model's output as bytes into `block`, interleaved (block_rect.height, block_rect.width,
/// C). `nchw` holds the planes (C, produced.height, produced.width). All rects are in output pixels of the item.
/// `order` says what the planes of a model with three channels are: bgr is written as RGB; all others are written in
/// their order. Threads may write to disjoint `owned` of one block at once. Preconditions: owned lies in produced and
/// in block_rect; the spans have the sizes above.
void scatter_tile(std::span<const float> nchw, int channels, Rect produced, Rect owned, float scale, ColorMode order,
                  std::span<std::uint8_t> block, Rect block_rect);

}  // namespace pantile
