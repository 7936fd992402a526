#pragma once
// The seam between us and the disk. What a run must not lose (journal, run.yaml, sealed shards, the catalog's place) is
// written through here and nowhere else, so that a test can put another disk in: one that fails the n-th call, or one
// in memory that forgets at a power cut what was not synced (tests/sim/sim_disk.hpp). HDF5 writes its files by itself;
// what makes them count, hash, sync, rename, sync of the folder, comes through here again.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/wire.hpp"

namespace pantile {

enum class Access : std::uint8_t {
  read,    ///< must be there
  change,  ///< must be there; may be written
  create,  ///< is made if it is not there; may be written
  replace  ///< is made, or emptied; may be written
};

/// A file of a Disk. Closed when it goes; that alone makes nothing durable. Every function throws SystemError. After
/// one that did, nothing is known of the file: it is not synced again, since the kernel forgets the error.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  [[nodiscard]] virtual std::uint64_t size() = 0;
  /// Fills `bytes` from the file's byte `at` on; less only at its end. Returns how many.
  [[nodiscard]] virtual std::size_t read(std::uint64_t at, std::span<std::byte> bytes) = 0;
  /// Writes all of it. What was there before the error stays written.
  virtual void write(std::uint64_t at, std::span<const std::byte> bytes) = 0;
  virtual void resize(std::uint64_t bytes) = 0;
  /// Takes room for bytes [at, at + bytes), so that writing them needs no free space later; the size stays. False if
  /// the file system knows no such thing.
  [[nodiscard]] virtual bool reserve(std::uint64_t at, std::uint64_t bytes) = 0;
  /// fsync: content and size are durable; the name is not (sync_folder).
  virtual void sync() = 0;
  /// fdatasync: content, and the size if it is needed to read it.
  virtual void sync_data() = 0;
};

/// Safe to share between threads; a file of it is not. Every function throws SystemError unless it says otherwise.
class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual std::unique_ptr<DiskFile> open(const std::filesystem::path& path, Access access) = 0;
  /// Replaces `to` if it is there. Readers see the one or the other.
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// No error if it is not there.
  virtual void remove(const std::filesystem::path& path) = 0;
  /// Makes names that were given, changed or taken away in this folder durable.
  virtual void sync_folder(const std::filesystem::path& folder) = 0;
  /// No error if it is there. Its parent must be.
  virtual void make_folder(const std::filesystem::path& folder) = 0;
  /// Names in a folder, sorted.
  [[nodiscard]] virtual std::vector<std::string> list(const std::filesystem::path& folder) = 0;
  [[nodiscard]] virtual bool exists(const std::filesystem::path& path) = 0;
  /// What this user may still write there, as far as the file system says: quotas are not in it.
  [[nodiscard]] virtual std::uint64_t free_bytes(const std::filesystem::path& folder) = 0;
};

/// The file systems of this machine.
[[nodiscard]] Disk& real_disk() noexcept;

/// All bytes of a file.
[[nodiscard]] Bytes read_file(Disk& disk, const std::filesystem::path& path);
/// As replace_file() of base/file.hpp, on any disk. Nothing is left beside the file if it throws.
void replace_file(Disk& disk, const std::filesystem::path& path, std::string_view text, Durable durable);
/// Gives a complete file its name for good: sync, rename, sync of the folder. If it throws, the file may have either
/// name: the caller knows which of them may stay.
void publish(Disk& disk, DiskFile& file, const std::filesystem::path& from, const std::filesystem::path& to);
/// For what is best done and no more, while another error is on its way: a resume sweeps away what stays.
void try_to_remove(Disk& disk, const std::filesystem::path& path) noexcept;
/// `path`.WORD-N for the first N that is free.
[[nodiscard]] std::filesystem::path numbered(Disk& disk, const std::filesystem::path& path, std::string_view word);
/// The folder that a name is in; "." for one without.
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& path);

}  // namespace pantile
