// The per-pixel functions of image/pixels.hpp give the same bits on a GPU as on the CPU. Wherever nvcc is,
// pixels_kernels.cu shows that they compile for a device; without a device the tests skip.

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "cuda/pixels_kernels.cuh"

namespace pantile::cuda_test {
namespace {

class DevicePixels : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = no_device_because();
    if (!reason.empty()) {
      GTEST_SKIP() << "no CUDA device (" << reason << ")";
    }
  }
};

template <class Value, class Function>
void expect_equal_bits(Function function, std::size_t count) {
  const std::vector<Value> of_device = on_device<Value>(function, count);
  std::size_t different = 0;
  for (std::size_t at = 0; at < count; ++at) {
    const Value of_host = function(at);
    if (std::memcmp(&of_host, &of_device[at], sizeof(Value)) != 0 && ++different <= 5) {
      ADD_FAILURE() << "input " << at << ": host " << +of_host << ", device " << +of_device[at];
    }
  }
  EXPECT_EQ(different, 0U);
}

TEST_F(DevicePixels, AreNormalisedAsOnTheHost) {
  expect_equal_bits<float>(Normalised8{.mean = 0.0, .std = 1.0}, 256);
  expect_equal_bits<float>(Normalised8{.mean = 0.485, .std = 0.229}, 256);
  expect_equal_bits<float>(Normalised16{}, 65536);
}

TEST_F(DevicePixels, HaveTheLumaOfTheHost) { expect_equal_bits<std::uint32_t>(Luma{}, std::size_t{1} << 24U); }

TEST_F(DevicePixels, AreLaidOverWhiteAsOnTheHost) { expect_equal_bits<std::uint32_t>(OverWhite{}, 65536); }

TEST_F(DevicePixels, GoRoundTheBorderAsOnTheHost) {
  for (const Border border : {Border::none, Border::replicate, Border::reflect}) {
    for (const int size : {1, 2, 3, 17, 100}) {
      SCOPED_TRACE("border " + std::to_string(static_cast<int>(border)) + ", size " + std::to_string(size));
      expect_equal_bits<int>(BorderIndex{.size = size, .border = border}, 256);
    }
  }
}

TEST_F(DevicePixels, AreRoundedToBytesAsOnTheHost) { expect_equal_bits<std::uint8_t>(ToU8{}, 16384); }

}  // namespace
}  // namespace pantile::cuda_test
