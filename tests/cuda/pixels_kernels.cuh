#pragma once
// The per-pixel functions of image/pixels.hpp as arrays of results, filled by a GPU or by the host with one and the
// same text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "image/pixels.hpp"

namespace pantile::cuda_test {

struct Normalised8 {
  double mean, std;
  PANTILE_HD float operator()(std::size_t at) const {
    return normalised(static_cast<double>(at), 1.0 / 255.0, mean, std);
  }
};

struct Normalised16 {
  PANTILE_HD float operator()(std::size_t at) const {
    return normalised(as_u8_scale(static_cast<std::uint16_t>(at)), 1.0 / 255.0, 0.485, 0.229);
  }
};

struct Luma {
  PANTILE_HD std::uint32_t operator()(std::size_t at) const {
    const auto bits = static_cast<std::uint32_t>(at);
    return luma(bits & 0xFFU, (bits >> 8U) & 0xFFU, (bits >> 16U) & 0xFFU);
  }
};

struct OverWhite {
  PANTILE_HD std::uint32_t operator()(std::size_t at) const {
    return over_white(static_cast<std::uint32_t>(at & 0xFFU), static_cast<std::uint32_t>(at >> 8U & 0xFFU), 255);
  }
};

struct BorderIndex {
  int size;
  Border border;
  PANTILE_HD int operator()(std::size_t at) const { return border_index(static_cast<int>(at) - 64, size, border); }
};

/// -0.75 to 2.25 in steps that meet the points half-way between two bytes.
struct ToU8 {
  PANTILE_HD std::uint8_t operator()(std::size_t at) const {
    return to_u8(static_cast<float>(static_cast<int>(at) - 4096) * (1.5F / 8192.0F), 255.0F);
  }
};

/// Why no GPU can be used here; empty if one can.
std::string no_device_because();

/// function(0) … function(count − 1), computed by the device. Throws std::runtime_error when CUDA fails.
/// Instantiated for the functions above, in pixels_kernels.cu.
template <class Value, class Function>
std::vector<Value> on_device(Function function, std::size_t count);

}  // namespace pantile::cuda_test
