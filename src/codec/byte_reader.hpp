#pragma once
// Where the bytes of an image file come from: memory, a file, a member of an archive.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/file.hpp"

namespace pantile {

/// Bytes that can be read from any place, any number of times. Not thread safe unless a class says so.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Reads `into.size()` bytes from `at` on, fewer only at the end (none beyond it); returns how many. Throws Error if
  /// reading fails.
  [[nodiscard]] virtual std::size_t read_at(std::uint64_t at, std::span<std::byte> into) = 0;
  /// All of it, if it is in memory and stays where it is: then nobody needs a copy. Otherwise empty.
  [[nodiscard]] virtual std::span<const std::byte> in_memory() const noexcept { return {}; }
};

/// Bytes that are in memory, and stay there as long as this is used. Thread safe.
class MemoryReader final : public ByteReader {
 public:
  explicit MemoryReader(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    const auto from = bytes_.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(at, bytes_.size())));
    const auto part = from.first(std::min(from.size(), into.size()));
    std::copy(part.begin(), part.end(), into.begin());
    return part.size();
  }
  [[nodiscard]] std::span<const std::byte> in_memory() const noexcept override { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// A file on disk; its size is the one at the time of opening. Thread safe.
class FileReader final : public ByteReader {
 public:
  /// Throws Error if the file cannot be opened.
  explicit FileReader(const std::filesystem::path& path);
  /// Takes over an open file of `bytes` bytes.
  FileReader(File file, std::uint64_t bytes) noexcept : file_{std::move(file)}, bytes_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_; }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override;

 private:
  File file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace pantile
