#pragma once
// libzip behind one door: any member of a .zip or .cbz by its position, without the ones before it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "codec/byte_reader.hpp"

namespace pantile::detail {

struct ZipMember {
  std::string name;                ///< UTF-8: what is stored otherwise is taken for code page 437, as in old archives
  std::uint64_t bytes = 0;         ///< unpacked, by the directory
  std::uint64_t packed_bytes = 0;  ///< in the archive, by the directory
  Failure failure;                 ///< why it cannot be read, if it cannot: Fault::none if it can
};

/// An open archive. One thread at a time; each reader outlives neither it nor the next call of open() or read().
class ZipArchive {
 public:
  /// Reads the directory at the end of the file. Throws UsageError if it is no zip archive or is cut short; Error if it
  /// cannot be read.
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();
  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) noexcept;

  /// All entries, folders too: their names end with '/'.
  [[nodiscard]] std::uint64_t size() const;
  /// Precondition: at < size().
  [[nodiscard]] ZipMember member(std::uint64_t at) const;

  /// Unpacks a member that should have `bytes` bytes, no more and no fewer, and checks its checksum.
  [[nodiscard]] Result<Bytes> read(std::uint64_t at, std::uint64_t bytes);
  /// The same as it is needed, for headers: what lies before what is asked for is unpacked and forgotten, some
  /// megabytes excepted. No checksum.
  [[nodiscard]] Result<std::unique_ptr<ByteReader>> open(std::uint64_t at, std::uint64_t bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantile::detail
