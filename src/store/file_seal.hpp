#pragma once
// The last 32 bytes of a shard, behind all that HDF5 knows of (it ignores them):
//
//     "PANTILE-SEALED-1" | xxh3_128 of all bytes before, high half first
//
// So a shard proves by itself that it is what was written. HDF5 trusts what it reads, and may crash on damage: a shard
// that no record of the journal vouches for is handed to it only if its seal holds.

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/disk.hpp"
#include "store/file_hash.hpp"

namespace pantile {

inline constexpr std::uint64_t seal_bytes = 32;

/// Ends a closed file with its seal. Returns the hash of what lies before the seal, and the bytes with it. Not synced.
/// Throws Error.
FileHash write_seal(DiskFile& file);

/// What the file says of itself.
struct SealCheck {
  FileHash found;  ///< as write_seal() returns it, of the bytes that are there now
  bool holds = false;
};
/// Reads all of a file, and tells `progress` how many bytes were just read. Throws Error if it cannot be read.
[[nodiscard]] SealCheck check_seal(DiskFile& file, const std::function<void(std::uint64_t)>& progress = {});
[[nodiscard]] SealCheck check_seal(const std::filesystem::path& path,
                                   const std::function<void(std::uint64_t)>& progress = {});

}  // namespace pantile
