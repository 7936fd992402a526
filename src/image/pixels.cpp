#include "image/pixels.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/error.hpp"

namespace pantile {
namespace {

/// Where the samples of one run of pixels go: one pointer and one table for each channel of the model.
template <class Sample>
struct Run {
  const Sample* pixels = nullptr;
  std::array<float*, 3> planes{};
  std::array<const float*, 3> tables{};
};

/// `Channels` of the image, known to the compiler, so that the loop has no branch but its end.
template <int Channels, class Sample>
void gather_three(const Run<Sample>& run, std::size_t count, ColorMode mode) {
  const int first = Channels >= 3 && mode == ColorMode::bgr ? 2 : 0;
  const int second = Channels >= 3 ? 1 : 0;
  const int third = Channels >= 3 ? 2 - first : 0;
  const auto [to_first, to_second, to_third] = run.planes;
  const auto [first_table, second_table, third_table] = run.tables;
  const Sample* pixel = run.pixels;
  for (std::size_t i = 0; i < count; ++i, pixel += Channels) {
    to_first[i] = first_table[pixel[first]];
    to_second[i] = second_table[pixel[second]];
    to_third[i] = third_table[pixel[third]];
  }
}

template <int Channels, class Sample>
void gather_one(const Run<Sample>& run, std::size_t count) {
  float* const to = run.planes[0];
  const float* const table = run.tables[0];
  const Sample* pixel = run.pixels;
  for (std::size_t i = 0; i < count; ++i, pixel += Channels) {
    if constexpr (Channels >= 3) {
      to[i] = table[luma(pixel[0], pixel[1], pixel[2])];
    } else {
      to[i] = table[pixel[0]];
    }
  }
}

/// One row of the source: pixels outside the image on the left, those inside as one run, outside on the right. `row`
/// begins with the image's pixel `row_x`; the image is `width` wide.
template <int Channels, class Sample>
void gather_row(const Sample* row, int row_x, int width, Rect source, Border border, ColorMode mode, Run<Sample> run) {
  const auto advance = [&](int x, std::size_t count) {
    run.pixels = row + static_cast<std::ptrdiff_t>(x - row_x) * Channels;
    if (channels_of(mode) == 3) {
      gather_three<Channels>(run, count, mode);
    } else {
      gather_one<Channels>(run, count);
    }
    for (float*& plane : run.planes) {
      plane = plane == nullptr ? nullptr : plane + count;
    }
  };
  const int inside_begin = std::clamp(0, source.x, source.right());
  const int inside_end = std::clamp(width, inside_begin, source.right());
  for (int x = source.x; x < inside_begin; ++x) {
    advance(border_index(x, width, border), 1);
  }
  if (inside_begin < inside_end) {
    advance(inside_begin, static_cast<std::size_t>(inside_end - inside_begin));
  }
  for (int x = inside_end; x < source.right(); ++x) {
    advance(border_index(x, width, border), 1);
  }
}

template <int Channels, class Sample>
void gather(const ImagePart& image, Rect source, Border border, ColorMode mode, const InputTable& table, float* nchw) {
  const auto plane = static_cast<std::size_t>(source.area());
  for (int y = 0; y < source.height; ++y) {
    Run<Sample> run;
    for (int channel = 0; channel < channels_of(mode); ++channel) {
      const auto at = static_cast<std::size_t>(channel);
      run.planes[at] = nchw + at * plane + static_cast<std::size_t>(y) * static_cast<std::size_t>(source.width);
      run.tables[at] = sizeof(Sample) == 1 ? table.u8(channel) : table.u16(channel);
    }
    const int row = border_index(source.y + y, image.whole.height, border);
    gather_row<Channels>(reinterpret_cast<const Sample*>(image.pixels.row(row - image.rect.y)), image.rect.x,
                         image.whole.width, source, border, mode, run);
  }
}

template <class Sample>
void gather_depth(const ImagePart& image, Rect source, Border border, ColorMode mode, const InputTable& table,
                  float* nchw) {
  switch (image.pixels.channels) {
    case 1: return gather<1, Sample>(image, source, border, mode, table, nchw);
    case 2: return gather<2, Sample>(image, source, border, mode, table, nchw);
    case 3: return gather<3, Sample>(image, source, border, mode, table, nchw);
    default: return gather<4, Sample>(image, source, border, mode, table, nchw);
  }
}

template <int Channels, class Sample>
void lay_over_white(Image& image, int from) noexcept {
  constexpr std::uint32_t white = std::numeric_limits<Sample>::max();
  const auto [height, width] = image.extent();
  for (int y = from; y < height; ++y) {
    auto* pixel = reinterpret_cast<Sample*>(image.row(y));
    for (int x = 0; x < width; ++x, pixel += Channels) {
      for (int channel = 0; channel < Channels - 1; ++channel) {
        pixel[channel] = static_cast<Sample>(over_white(pixel[channel], pixel[Channels - 1], white));
      }
    }
  }
}

/// Pixels that are converted before they are interleaved: few enough to stay in the nearest cache.
constexpr std::size_t strip_px = 256;

/// Restrict, and no std::array: a store to a byte may change anything else, and then nothing is vectorised.
void convert(const float* __restrict values, std::size_t count, float scale, std::uint8_t* __restrict bytes) {
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = to_u8(values[i], scale);
  }
}

/// One run of pixels of a model with three channels, which is what most images are.
void scatter_three(const std::array<const float*, 3>& planes, std::size_t count, float scale,
                   std::uint8_t* __restrict out) {
  std::uint8_t first[strip_px];
  std::uint8_t second[strip_px];
  std::uint8_t third[strip_px];
  for (std::size_t at = 0; at < count; at += strip_px) {
    const std::size_t some = std::min(strip_px, count - at);
    convert(planes[0] + at, some, scale, first);
    convert(planes[1] + at, some, scale, second);
    convert(planes[2] + at, some, scale, third);
    for (std::size_t i = 0; i < some; ++i) {
      out[3 * i] = first[i];
      out[3 * i + 1] = second[i];
      out[3 * i + 2] = third[i];
    }
    out += 3 * some;
  }
}

/// Any number of channels.
void scatter_plane(const float* __restrict values, std::size_t count, float scale, std::uint8_t* __restrict out,
                   std::size_t channels) {
  std::uint8_t strip[strip_px];
  for (std::size_t at = 0; at < count; at += strip_px) {
    const std::size_t some = std::min(strip_px, count - at);
    if (channels == 1) {
      convert(values + at, some, scale, out + at);
      continue;
    }
    convert(values + at, some, scale, strip);
    for (std::size_t i = 0; i < some; ++i) {
      out[(at + i) * channels] = strip[i];
    }
  }
}

}  // namespace

InputTable::InputTable(std::span<const ChannelScaling> channels)
    : channels_{static_cast<int>(channels.size())}, u8_(channels.size() * 256), u16_(channels.size() * 65536) {
  expect(!channels.empty() && channels.size() <= 4, "a model's input has 1 to 4 channels");
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    const auto [scale, mean, std] = channels[channel];
    expect(std != 0.0, "nothing is divided by 0");
    for (std::size_t value = 0; value < 256; ++value) {
      u8_[channel * 256 + value] = normalised(static_cast<double>(value), scale, mean, std);
    }
    for (std::size_t value = 0; value < 65536; ++value) {
      u16_[channel * 65536 + value] = normalised(as_u8_scale(static_cast<std::uint16_t>(value)), scale, mean, std);
    }
  }
}

void lay_over_white(Image& image, int from) noexcept {
  const ImageView view = image.view();
  const bool is_u8 = view.depth == Depth::u8;
  if (view.channels == 2) {
    is_u8 ? lay_over_white<2, std::uint8_t>(image, from) : lay_over_white<2, std::uint16_t>(image, from);
  } else if (view.channels == 4) {
    is_u8 ? lay_over_white<4, std::uint8_t>(image, from) : lay_over_white<4, std::uint16_t>(image, from);
  }
}

Rect needed_part(Extent image, Rect source, Border border) noexcept {
  const auto along = [border](int begin, int end, int size) {
    int first = size;
    int last = -1;
    const auto take = [&](int at) {
      first = std::min(first, at);
      last = std::max(last, at);
    };
    // What lies outside is mirrored or repeated from inside; what lies inside counts by its ends.
    for (int at = begin; at < std::min(end, 0); ++at) {
      take(border_index(at, size, border));
    }
    for (int at = std::max(begin, size); at < end; ++at) {
      take(border_index(at, size, border));
    }
    if (std::max(begin, 0) < std::min(end, size)) {
      take(std::max(begin, 0));
      take(std::min(end, size) - 1);
    }
    return std::pair{first, last + 1 - first};
  };
  const auto [y, height] = along(source.y, source.bottom(), image.height);
  const auto [x, width] = along(source.x, source.right(), image.width);
  return {y, x, height, width};
}

void gather_tile(const ImagePart& image, Rect source, Border border, ColorMode mode, const InputTable& table,
                 std::span<float> nchw) {
  expect(image.pixels.channels >= 1 && image.pixels.channels <= 4 && !image.whole.empty(),
         "an image has pixels, and 1 to 4 channels");
  expect(table.channels() == channels_of(mode), "the input table has the model's channels");
  expect(nchw.size() == static_cast<std::size_t>(source.area()) * static_cast<std::size_t>(channels_of(mode)),
         "a tile fills its buffer");
  expect(border != Border::none || whole(image.whole).contains(source), "a tile without border lies in the image");
  expect(image.rect.contains(needed_part(image.whole, source, border)), "a tile's pixels are there");
  if (image.pixels.depth == Depth::u8) {
    gather_depth<std::uint8_t>(image, source, border, mode, table, nchw.data());
  } else {
    gather_depth<std::uint16_t>(image, source, border, mode, table, nchw.data());
  }
}

void scatter_tile(std::span<const float> nchw, int channels, Rect produced, Rect owned, float scale, ColorMode order,
                  std::span<std::uint8_t> block, Rect block_rect) {
  const auto depth = static_cast<std::size_t>(channels);
  const auto plane = static_cast<std::size_t>(produced.area());
  expect(channels >= 1 && nchw.size() == plane * depth, "a model's output has the extent it was asked for");
  expect(block.size() == static_cast<std::size_t>(block_rect.area()) * depth, "a block's buffer has its size");
  expect(produced.contains(owned) && block_rect.contains(owned), "a tile writes what it made, into its block");
  const auto width = static_cast<std::size_t>(owned.width);
  for (int y = owned.y; y < owned.bottom(); ++y) {
    const std::size_t from = static_cast<std::size_t>(y - produced.y) * static_cast<std::size_t>(produced.width) +
                             static_cast<std::size_t>(owned.x - produced.x);
    const std::size_t to = static_cast<std::size_t>(y - block_rect.y) * static_cast<std::size_t>(block_rect.width) +
                           static_cast<std::size_t>(owned.x - block_rect.x);
    const float* const values = nchw.data() + from;
    std::uint8_t* const out = block.data() + to * depth;
    if (channels == 3) {
      const bool swapped = order == ColorMode::bgr;
      scatter_three({values + (swapped ? 2 * plane : 0), values + plane, values + (swapped ? 0 : 2 * plane)}, width,
                    scale, out);
      continue;
    }
    for (std::size_t channel = 0; channel < depth; ++channel) {
      scatter_plane(values + channel * plane, width, scale, out + channel, depth);
    }
  }
}

}  // namespace pantile
