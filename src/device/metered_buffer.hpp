#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "device/meter.hpp"

namespace pantile {

/// Bytes of one device, charged to its meter while they live: staging of tiles, decoded pixels, output slots.
///
/// Aligned to 64 bytes and readable 64 bytes past the end, as the engine's vector kernels want it. Not initialised.
/// From 64 KiB on the pages come from the kernel and go back to it when the buffer ends; malloc would keep them
/// (measured: RSS grows to 2.7 × what is in use).
class MeteredBuffer {
 public:
  MeteredBuffer() = default;
  /// Throws std::bad_alloc if the meter refuses. The meter must outlive the buffer.
  MeteredBuffer(Meter& meter, std::size_t bytes);
  MeteredBuffer(MeteredBuffer&& other) noexcept { swap(other); }
  MeteredBuffer& operator=(MeteredBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~MeteredBuffer();

  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_, bytes_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, bytes_}; }
  /// The same memory as floats; a rest of size() % 4 bytes is left out.
  [[nodiscard]] std::span<float> floats() noexcept { return {reinterpret_cast<float*>(data_), bytes_ / sizeof(float)}; }
  [[nodiscard]] std::span<const float> floats() const noexcept {
    return {reinterpret_cast<const float*>(data_), bytes_ / sizeof(float)};
  }

 private:
  void swap(MeteredBuffer& other) noexcept;

  Meter* meter_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace pantile
