#include "model/detail/axis_map.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <vector>

namespace pantile::detail {
namespace {

/// An axis of n image pixels, followed one by one: each pixel of a tensor is the set of image pixels that it sees, and
/// whether it saw padding. Slow and obvious, to compare with.
struct Pixel {
  std::set<int> seen;
  bool clean = true;
};
using Axis = std::vector<Pixel>;

void look(Pixel& pixel, const Axis& input, std::int64_t at) {
  if (at < 0 || at >= static_cast<std::int64_t>(input.size())) {
    pixel.clean = false;
    return;
  }
  const Pixel& other = input[static_cast<std::size_t>(at)];
  pixel.seen.insert(other.seen.begin(), other.seen.end());
  pixel.clean = pixel.clean && other.clean;
}

Axis slow_convolved(const Axis& input, const Kernel& kernel) {
  Axis output;
  const int room =
      static_cast<int>(input.size()) + kernel.pad_begin + kernel.pad_end - kernel.dilation * (kernel.size - 1) - 1;
  const int begins_before = static_cast<int>(input.size()) + kernel.pad_begin;
  for (int at = 0; at * kernel.stride <= room || (kernel.rounds_up && (at - 1) * kernel.stride < room); ++at) {
    const bool is_last = (at + 1) * kernel.stride > room && at * kernel.stride >= room;
    if (kernel.rounds_up && is_last && at * kernel.stride >= begins_before) {
      break;  // as the operator is described: the last window must begin in the input or before it
    }
    Pixel pixel;
    for (int k = 0; k < kernel.size; ++k) {
      look(pixel, input, at * kernel.stride - kernel.pad_begin + k * kernel.dilation);
    }
    output.push_back(pixel);
  }
  return output;
}

Axis slow_transposed(const Axis& input, const Kernel& kernel, int output_padding) {
  const int size = kernel.stride * (static_cast<int>(input.size()) - 1) + output_padding +
                   kernel.dilation * (kernel.size - 1) + 1 - kernel.pad_begin - kernel.pad_end;
  Axis output;
  for (int at = 0; at < size; ++at) {
    Pixel pixel;
    for (int i = -50; i < static_cast<int>(input.size()) + 50; ++i) {
      for (int k = 0; k < kernel.size; ++k) {
        if (i * kernel.stride + k * kernel.dilation - kernel.pad_begin == at) {
          look(pixel, input, i);
        }
      }
    }
    output.push_back(pixel);
  }
  return output;
}

/// A random stack of layers, as a map and as an axis.
struct Stack {
  AxisMap map;
  Axis axis;
  bool enlarged = false;
};

Stack random_stack(std::mt19937& random, int n) {
  const auto between = [&](int low, int high) { return std::uniform_int_distribution{low, high}(random); };
  Stack stack{{}, Axis(static_cast<std::size_t>(n)), false};
  for (int at = 0; at < n; ++at) {
    stack.axis[static_cast<std::size_t>(at)].seen = {at};
  }
  for (int layer = between(1, 4); layer > 0; --layer) {
    Kernel kernel{between(1, 4), between(1, 2), 1, between(0, 3), between(0, 3)};
    const int kind = between(0, 3);
    if (kind == 0 && stack.map.density < 6) {
      kernel.stride = between(1, 3);
      stack.enlarged = true;
      const int extra = between(0, kernel.stride - 1);
      stack.map = transposed_convolved(stack.map, kernel, extra);
      stack.axis = slow_transposed(stack.axis, kernel, extra);
    } else if (kind == 1 && stack.map.density < 6) {
      const int factor = between(2, 3);
      stack.enlarged = true;
      Axis larger;
      for (const Pixel& pixel : stack.axis) {
        larger.insert(larger.end(), static_cast<std::size_t>(factor), pixel);
      }
      stack.map = repeated(stack.map, factor);
      stack.axis = larger;
    } else {
      kernel.stride = between(1, 3);
      kernel.rounds_up = between(0, 3) == 0;
      kernel.pad_begin -= between(0, 2);  // cropping too
      if (n % convolved(stack.map, kernel).value().period != 0) {
        kernel.stride = 1;  // the image has a whole number of periods
      }
      stack.axis = slow_convolved(stack.axis, kernel);
      stack.map = convolved(stack.map, kernel).value();
    }
  }
  return stack;
}

TEST(AxisMap, AgreesWithFollowingEachPixelByHand) {
  constexpr int n = 144;
  int long_periods = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    const Stack stack = random_stack(random, n);
    const AxisMap& map = stack.map;
    const auto size = static_cast<std::int64_t>(stack.axis.size());
    ASSERT_EQ(size, std::int64_t{map.density} * (n / map.period) + map.offset);
    long_periods += map.period > 1 ? 1 : 0;
    for (std::int64_t at = 0; at < size; ++at) {
      SCOPED_TRACE("pixel " + std::to_string(at));
      const Pixel& pixel = stack.axis[static_cast<std::size_t>(at)];
      const bool clean = at >= map.unclean_begin && at < size - map.unclean_end;
      if (clean) {
        ASSERT_TRUE(pixel.clean);
      }
      const std::int64_t q = at / map.density * map.period;
      const Window window = map.windows[static_cast<std::size_t>(at % map.density)];
      if (!pixel.seen.empty()) {
        ASSERT_GE(*pixel.seen.begin(), q + window.first);
        ASSERT_LE(*pixel.seen.rbegin(), q + window.last);
      }
      if (clean && window.first <= window.last) {  // no wider than it must be
        ASSERT_EQ(*pixel.seen.begin(), q + window.first);
        ASSERT_EQ(*pixel.seen.rbegin(), q + window.last);
      }
    }
    // The frames are no wider than they must be: their innermost pixel did see padding. (Between the pixels of an
    // enlarged grid a clean one may stand in the frame; the map then is on the safe side.)
    if (!stack.enlarged && map.unclean_begin > 0 && map.unclean_begin <= size) {
      EXPECT_FALSE(stack.axis[static_cast<std::size_t>(map.unclean_begin - 1)].clean);
    }
    if (!stack.enlarged && map.unclean_end > 0 && map.unclean_end <= size) {
      EXPECT_FALSE(stack.axis[static_cast<std::size_t>(size - map.unclean_end)].clean);
    }
  }
  EXPECT_GT(long_periods, 500) << "strides that are not undone were tried too";
}

Window hull(const AxisMap& map) {
  Window window;
  for (const Window& each : map.windows) {
    window = {std::min(window.first, each.first), std::max(window.last, each.last)};
  }
  return window;
}

TEST(AxisMap, AStrideMakesAPeriodUnlessTheGridIsFineEnough) {
  const Kernel halving{.size = 2, .dilation = 1, .stride = 2, .pad_begin = 0, .pad_end = 0};
  const AxisMap half = convolved(AxisMap{}, halving).value();
  EXPECT_EQ(half.density, 1);
  EXPECT_EQ(half.period, 2);
  EXPECT_EQ(half.windows, (std::vector<Window>{{0, 1}}));
  EXPECT_EQ(convolved(repeated(AxisMap{}, 2), halving).value().period, 1);
  const AxisMap restored = repeated(half, 2);
  EXPECT_EQ(restored.density, 2);
  EXPECT_EQ(restored.windows, (std::vector<Window>{{0, 1}, {0, 1}}));
  AxisMap ever_coarser;
  for (int stage = 0; stage < 9; ++stage) {
    ever_coarser = convolved(ever_coarser, halving).value();
  }
  EXPECT_EQ(ever_coarser.period, largest_period);
  EXPECT_FALSE(convolved(ever_coarser, halving).has_value()) << "nobody wants images extended by that much";
}

TEST(AxisMap, MergesMapsOfDifferentPeriods) {
  const Kernel halving{.size = 2, .dilation = 1, .stride = 2, .pad_begin = 0, .pad_end = 0};
  const AxisMap restored = repeated(convolved(AxisMap{}, halving).value(), 2);
  const AxisMap both = merged(AxisMap{}, restored).value();
  EXPECT_EQ(both.period, 2);
  EXPECT_EQ(both.windows, (std::vector<Window>{{0, 1}, {0, 1}}));
}

TEST(AxisMap, MergesOnlyTensorsOfOneSizeAndSeesWithBoth) {
  const AxisMap shrunk = *convolved(AxisMap{}, {.size = 3, .dilation = 1, .stride = 1, .pad_begin = 0, .pad_end = 0});
  EXPECT_FALSE(merged(AxisMap{}, shrunk).has_value());
  const AxisMap cropped = padded(AxisMap{}, -1, -1);
  const auto both = merged(shrunk, cropped);
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(hull(*both), (Window{0, 2}));
  const AxisMap padded_conv =
      *convolved(AxisMap{}, {.size = 5, .dilation = 1, .stride = 1, .pad_begin = 2, .pad_end = 2});
  const auto same = merged(AxisMap{}, padded_conv);
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->unclean_begin, 2);
  EXPECT_EQ(hull(*same), (Window{-2, 2}));
}

}  // namespace
}  // namespace pantile::detail
