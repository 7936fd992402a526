#include <cstdint>

#include "model/check.hpp"

namespace pantile {

namespace {

/// Bits that look random, of a place: the same everywhere.
std::uint32_t scrambled(std::uint32_t value) {
  value ^= value >> 16U;
  value *= 0x7FEB352DU;
  value ^= value >> 15U;
  value *= 0x846CA68BU;
  return value ^ (value >> 16U);
}

}  // namespace

std::vector<float> textured_picture(int channels, Extent extent) {
  std::vector<float> planes;
  planes.reserve(static_cast<std::size_t>(channels * extent.area()));
  for (int channel = 0; channel < channels; ++channel) {
    for (int y = 0; y < extent.height; ++y) {
      for (int x = 0; x < extent.width; ++x) {
        const bool dark = (y / 13 + x / 17 + channel) % 3 == 0;
        const float slope = static_cast<float>((y * 3 + x * 2 + channel * 40) % 256) / 512.0F;
        const std::uint32_t noise = scrambled(static_cast<std::uint32_t>((channel * 8191 + y) * 8209 + x));
        planes.push_back((dark ? 0.05F : 0.35F) + slope * 0.5F + static_cast<float>(noise & 0xFFFFU) / 262144.0F);
      }
    }
  }
  return planes;
}

}  // namespace pantile
