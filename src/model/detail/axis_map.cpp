#include "model/detail/axis_map.hpp"

#include <algorithm>
#include <numeric>

namespace pantile::detail {

namespace {

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

/// Every layer that we follow is of this form: output pixel output_step·m + r reads the input pixels
/// input_step·m + taps[r][…]. One of the two steps is 1.
struct Taps {
  std::int64_t output_step = 1;
  std::int64_t input_step = 1;
  std::vector<std::vector<std::int64_t>> taps;  ///< by r in [0, output_step)
};

Window hull(const Window& a, const Window& b) { return {std::min(a.first, b.first), std::max(a.last, b.last)}; }

/// The window of pixel `at`, which may lie outside the tensor.
Window window_at(const AxisMap& map, std::int64_t at) {
  const std::int64_t m = floor_div(at, map.density);
  const Window& window = map.windows[static_cast<std::size_t>(at - m * map.density)];
  return window.first > window.last ? window : Window{window.first + m * map.period, window.last + m * map.period};
}

AxisMap apply(const AxisMap& input, const Taps& layer, std::int64_t offset) {
  AxisMap output{.density = static_cast<int>(input.density * layer.output_step / layer.input_step),
                 .period = input.period,
                 .offset = offset,
                 .windows = {},
                 .unclean_begin = 0,
                 .unclean_end = 0};
  for (std::int64_t at = 0; at < output.density; ++at) {
    const std::int64_t m = at / layer.output_step;
    Window window;
    for (const std::int64_t tap : layer.taps[static_cast<std::size_t>(at % layer.output_step)]) {
      window = hull(window, window_at(input, layer.input_step * m + tap));
    }
    output.windows.push_back(window);
  }
  // A pixel is unclean if one of its taps is, or lies outside the input. Both ends, for each residue r: the last m
  // whose lowest tap is too low, and the first whose highest tap is too high (as a distance from the end; n cancels
  // out).
  for (std::int64_t r = 0; r < layer.output_step; ++r) {
    const auto& taps = layer.taps[static_cast<std::size_t>(r)];
    if (taps.empty()) {
      continue;
    }
    const auto [low, high] = std::minmax_element(taps.begin(), taps.end());
    const std::int64_t last_low = ceil_div(input.unclean_begin - *low, layer.input_step) - 1;
    const std::int64_t first_high = ceil_div(input.offset - input.unclean_end - *high, layer.input_step);
    output.unclean_begin = std::max(output.unclean_begin, layer.output_step * last_low + r + 1);
    output.unclean_end = std::max(output.unclean_end, offset - (layer.output_step * first_high + r));
  }
  return output;
}

/// So long a period that a whole number of strides fits into it.
std::optional<AxisMap> divisible(const AxisMap& map, int stride) {
  const int factor = stride / std::gcd(stride, map.density);
  if (std::int64_t{map.period} * factor > largest_period) {
    return std::nullopt;
  }
  return with_longer_period(map, factor);
}

}  // namespace

AxisMap with_longer_period(const AxisMap& map, int factor) {
  AxisMap longer = map;
  longer.density *= factor;
  longer.period *= factor;
  longer.windows.clear();
  for (std::int64_t at = 0; at < longer.density; ++at) {
    longer.windows.push_back(window_at(map, at));
  }
  return longer;
}

std::optional<AxisMap> convolved(const AxisMap& input, const Kernel& kernel) {
  const std::optional<AxisMap> from = divisible(input, kernel.stride);
  if (!from) {
    return std::nullopt;
  }
  Taps layer{.output_step = 1, .input_step = kernel.stride, .taps = {{}}};
  for (std::int64_t k = 0; k < kernel.size; ++k) {
    layer.taps[0].push_back(k * kernel.dilation - kernel.pad_begin);
  }
  const std::int64_t reach = std::int64_t{kernel.dilation} * (kernel.size - 1);
  const std::int64_t room = from->offset + kernel.pad_begin + kernel.pad_end - reach - 1;
  std::int64_t count = floor_div(room, kernel.stride) + 1;
  if (kernel.rounds_up) {
    count = ceil_div(room, kernel.stride) + 1;
    // The last window must begin in the input or before it.
    count -= (count - 1) * kernel.stride >= from->offset + kernel.pad_begin ? 1 : 0;
  }
  return apply(*from, layer, count);
}

std::optional<AxisMap> interpolated(const AxisMap& input, const Interpolation& how) {
  const std::optional<AxisMap> from = divisible(input, how.stride);
  if (!from || from->offset * how.step % how.stride != 0) {
    return std::nullopt;
  }
  return apply(*from, {.output_step = how.step, .input_step = how.stride, .taps = how.taps},
               from->offset * how.step / how.stride);
}

AxisMap transposed_convolved(const AxisMap& input, const Kernel& kernel, int output_padding) {
  const std::int64_t stride = kernel.stride;
  Taps layer{.output_step = stride, .input_step = 1, .taps = {}};
  layer.taps.resize(static_cast<std::size_t>(stride));
  for (std::int64_t r = 0; r < stride; ++r) {
    for (std::int64_t k = 0; k < kernel.size; ++k) {
      const std::int64_t scaled = r + kernel.pad_begin - k * kernel.dilation;
      if (floor_div(scaled, stride) * stride == scaled) {
        layer.taps[static_cast<std::size_t>(r)].push_back(floor_div(scaled, stride));
      }
    }
  }
  const std::int64_t reach = std::int64_t{kernel.dilation} * (kernel.size - 1);
  return apply(input, layer,
               stride * (input.offset - 1) + output_padding + reach + 1 - kernel.pad_begin - kernel.pad_end);
}

AxisMap repeated(const AxisMap& input, int factor) {
  const Taps layer{.output_step = factor,
                   .input_step = 1,
                   .taps = std::vector<std::vector<std::int64_t>>(static_cast<std::size_t>(factor), {0})};
  return apply(input, layer, input.offset * factor);
}

AxisMap padded(const AxisMap& input, int begin, int end) {
  return *convolved(input, {.size = 1, .dilation = 1, .stride = 1, .pad_begin = begin, .pad_end = end});
}

std::optional<AxisMap> merged(const AxisMap& a, const AxisMap& b) {
  const int period = std::lcm(a.period, b.period);
  if (std::int64_t{a.density} * b.period != std::int64_t{b.density} * a.period || a.offset != b.offset ||
      period > largest_period) {
    return std::nullopt;
  }
  AxisMap both = with_longer_period(a, period / a.period);
  const AxisMap other = with_longer_period(b, period / b.period);
  for (std::size_t phase = 0; phase < both.windows.size(); ++phase) {
    both.windows[phase] = hull(both.windows[phase], other.windows[phase]);
  }
  both.unclean_begin = std::max(a.unclean_begin, b.unclean_begin);
  both.unclean_end = std::max(a.unclean_end, b.unclean_end);
  return both;
}

}  // namespace pantile::detail
