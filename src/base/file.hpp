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

/// Opens a regular file or a folder with O_CLOEXEC, and never waits: a pipe or a device under that name is refused, and
/// a link if it is to be written to.
/// Throws Error with the path and the system's reason.
[[nodiscard]] File open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

/// open(2) with O_CLOEXEC, and without waiting for the other end of a pipe. For a file on which another program holds a
/// lease (a Samba server, an NFS server) it waits until that gives it back: the kernel sees to that within
/// /proc/sys/fs/lease-break-time, 45 s. -1 and errno as open(2).
[[nodiscard]] int open_without_waiting(const std::filesystem::path& path, int flags, unsigned mode = 0) noexcept;

/// For libraries that open files by name, and would wait at a pipe: throws Error if there is no regular file.
void expect_file(const std::filesystem::path& path);
/// For libraries that write files by name: if a link lies there, it is removed, so that nothing is written where it
/// leads.
void remove_link(const std::filesystem::path& path) noexcept;

/// All bytes of a file. Throws Error; also if it is larger than `limit`.
[[nodiscard]] Bytes read_file(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{1} << 40U);
/// The same of a text of ours: none is nearly as large as its limit.
[[nodiscard]] std::string read_text(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{64} << 20U);

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
