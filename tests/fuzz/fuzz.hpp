#pragma once
// What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput over the real code of src/: run by
// libFuzzer (preset fuzz) or by driver.cpp (every other build). A promise that does not hold ends the process through
// expect(), as it would in the program: that is a finding.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pantile::fuzz {

[[nodiscard]] inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) noexcept {
  return std::as_bytes(std::span{data, size});
}

/// What the program would say of each bad input is not to be read a million times.
inline void be_quiet() { log::set_level(log::Level::error); }

/// A file that is in memory, for code that takes a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes) : file_{::memfd_create("fuzz", MFD_CLOEXEC)} {
    if (!file_) {
      throw system_error("cannot make a file in memory");
    }
    write_all(file_.get(), bytes, "a file in memory");
  }
  [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  File file_;
};

/// Takes an input apart from its front: numbers little-endian, zeros behind the end.
class Choices {
 public:
  explicit Choices(std::span<const std::byte> bytes) noexcept : rest_{bytes} {}
  template <class T>
  [[nodiscard]] T number() noexcept {
    T value{};
    const auto taken = take(sizeof value);
    std::copy(taken.begin(), taken.end(), reinterpret_cast<std::byte*>(&value));
    return value;
  }
  /// Up to `count` bytes.
  [[nodiscard]] std::span<const std::byte> take(std::size_t count) noexcept {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace pantile::fuzz
