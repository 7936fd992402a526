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
  for (int at = 0; at * kernel.stride <= room; ++at) {
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
      kernel.stride = stack.map.density % 2 == 0 ? between(1, 2) : 1;
      kernel.pad_begin -= between(0, 2);  // cropping too
      stack.axis = slow_convolved(stack.axis, kernel);
      stack.map = convolved(stack.map, kernel).value();
    }
  }
  return stack;
}

TEST(AxisMap, AgreesWithFollowingEachPixelByHand) {
  constexpr int n = 60;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    const Stack stack = random_stack(random, n);
    const AxisMap& map = stack.map;
    const auto size = static_cast<std::int64_t>(stack.axis.size());
    ASSERT_EQ(size, map.density * n + map.offset);
    for (std::int64_t at = 0; at < size; ++at) {
      SCOPED_TRACE("pixel " + std::to_string(at));
      const Pixel& pixel = stack.axis[static_cast<std::size_t>(at)];
      const bool clean = at >= map.unclean_begin && at < size - map.unclean_end;
      if (clean) {
        ASSERT_TRUE(pixel.clean);
      }
      const std::int64_t q = at / map.density;
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
}

TEST(AxisMap, RefusesAGridCoarserThanThePixels) {
  EXPECT_FALSE(convolved(AxisMap{}, {.size = 3, .dilation = 1, .stride = 2, .pad_begin = 1, .pad_end = 1}).has_value());
  const AxisMap doubled = repeated(AxisMap{}, 2);
  EXPECT_TRUE(convolved(doubled, {.size = 2, .dilation = 1, .stride = 2, .pad_begin = 0, .pad_end = 0}).has_value());
}

TEST(AxisMap, MergesOnlyTensorsOfOneSizeAndSeesWithBoth) {
  const AxisMap shrunk = *convolved(AxisMap{}, {.size = 3, .dilation = 1, .stride = 1, .pad_begin = 0, .pad_end = 0});
  EXPECT_FALSE(merged(AxisMap{}, shrunk).has_value());
  const AxisMap cropped = padded(AxisMap{}, -1, -1);
  const auto both = merged(shrunk, cropped);
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(both->hull(), (Window{0, 2}));
  const AxisMap padded_conv =
      *convolved(AxisMap{}, {.size = 5, .dilation = 1, .stride = 1, .pad_begin = 2, .pad_end = 2});
  const auto same = merged(AxisMap{}, padded_conv);
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->unclean_begin, 2);
  EXPECT_EQ(same->hull(), (Window{-2, 2}));
}

}  // namespace
}  // namespace pantile::detail
