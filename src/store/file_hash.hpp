#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/disk.hpp"
#include "base/hash.hpp"

namespace pantile {

struct FileHash {
  Hash128 hash;  ///< xxh3_128 of all bytes
  std::uint64_t bytes = 0;
  bool operator==(const FileHash&) const = default;
};

/// Reads all of an open file from its start, a megabyte at a time. `progress` is told how many bytes were just read.
/// Throws Error with `name` and the system's reason.
[[nodiscard]] FileHash hash_file(int fd, std::string_view name,
                                 const std::function<void(std::uint64_t)>& progress = {});

/// The same of a file of any disk, up to `limit` bytes.
[[nodiscard]] FileHash hash_file(DiskFile& file, const std::function<void(std::uint64_t)>& progress = {},
                                 std::uint64_t limit = ~std::uint64_t{0});

/// The same of a file by its name, up to `limit` bytes; of no bytes if it is not there.
[[nodiscard]] FileHash hash_of(const std::filesystem::path& path, std::uint64_t limit = ~std::uint64_t{0});

}  // namespace pantile
