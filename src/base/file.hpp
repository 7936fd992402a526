#pragma once
// Files as bytes. Everything that must survive a power cut goes through here: write, fsync, rename, fsync the folder.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/handle.hpp"
#include "base/wire.hpp"

namespace pantile {

struct CloseFile {
  using Raw = int;
  static Raw null() noexcept { return -1; }
  static void free(Raw fd) noexcept;
};
using File = Handle<CloseFile>;

/// Opens with O_CLOEXEC; throws Error with the path and the system's reason.
[[nodiscard]] File open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

/// All bytes of a file. Throws Error; also if it is larger than `limit`.
[[nodiscard]] Bytes read_file(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{1} << 40U);
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Writes all of it at the file's position; throws Error (ENOSPC among others).
void write_all(int fd, std::span<const std::byte> bytes, std::string_view what);

/// fsync or fdatasync; throws. A failed sync is final: never call it again for the same file (the kernel forgets the
/// error).
void sync_file(int fd, std::string_view what);
void sync_data(int fd, std::string_view what);
void sync_folder(const std::filesystem::path& folder);

enum class Durable { no, yes };
/// Readers see the old bytes or the new ones, never a part: temporary file beside it, rename. With Durable::yes also
/// fsync.
void replace_file(const std::filesystem::path& path, std::string_view text, Durable durable);

}  // namespace pantile
