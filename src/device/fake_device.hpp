#pragma once
// A device with a small memory of its own, for tests of what is done on a GPU: several processes share it, as they
// share a GPU, and what a process had is free again when it dies.
//
// The file is its memory's book: 8 bytes of total, then 8 bytes for each of 64 places, all little-endian: what the
// process in that place has taken. Who is in place i holds the lock (fcntl, of the open file) on byte 1 + i; byte 0 is
// locked while the book is changed. So a script can take memory as well: lock a place, and write a number into it.

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/handle.hpp"
#include "device/device.hpp"

namespace pantile {

class FakeDevice : public Device {
 public:
  static constexpr int places = 64;

  /// Joins the device whose book is `file`; makes it, of `total_bytes`, if there is none. Throws Error if the file
  /// cannot be made or is no book, or all places are taken.
  FakeDevice(const std::filesystem::path& file, std::uint64_t total_bytes);
  ~FakeDevice() override;
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;

  [[nodiscard]] std::string name() const override { return "fake"; }
  [[nodiscard]] std::string device_class() const override { return "fake"; }
  [[nodiscard]] std::uint64_t total_bytes() const override;
  [[nodiscard]] std::uint64_t free_bytes() const override;

  /// Memory of the host, with which one can compute.
  [[nodiscard]] void* try_allocate(std::size_t bytes) noexcept override;
  void deallocate(void* block, std::size_t bytes) noexcept override;

  /// What all live blocks of this object add up to.
  [[nodiscard]] std::uint64_t taken_bytes() const noexcept;

 private:
  struct CloseFile {
    using Raw = int;
    static Raw null() noexcept { return -1; }
    static void free(Raw file) noexcept;
  };
  struct Book {
    std::uint64_t total;
    std::array<std::uint64_t, places> taken;
  };
  class Locked;

  [[nodiscard]] std::uint64_t taken_by_all() const;

  Handle<CloseFile> file_;
  Book* book_ = nullptr;
  int place_ = -1;
  mutable std::mutex mutex_;  // threads of one process share the lock of the file
};

}  // namespace pantile
