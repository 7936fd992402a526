#pragma once
// A shard on its way, whatever its format: rows are appended, then it is sealed, once. It is data only when it is
// closed, hashed, synced and renamed; a file whose writer was killed never counts.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "base/hash.hpp"
#include "base/records.hpp"
#include "store/file_hash.hpp"
#include "store/format.hpp"

namespace pantile {

/// A shard that is on disk for good. It counts from the moment its ShardCommit is in the journal, not before.
struct SealedShard {
  std::string name{};            ///< "e0003-r0017-000042.h5"
  std::uint64_t bytes = 0;       ///< of the file
  Hash128 hash{};                ///< xxh3_128 of the file up to its seal (file_seal.hpp)
  Hash128 content_sum{};         ///< sum of the rows' digests
  std::vector<BlockRow> rows{};  ///< in the order of /index
};

/// Every member throws Error at the first failing call and has removed the partial then: the file is condemned, and any
/// later call but the destructor is our mistake. Unsealed, it never happened: the destructor removes the partial.
class ShardFile {
 public:
  virtual ~ShardFile() = default;

  /// Adds one finished block. `pixels`: its values, dense (rect.height, rect.width, channels), row.bytes() of them;
  /// they are copied or written before it returns. A block that the shard already has is left alone (first one wins).
  virtual void append(const BlockRow& row, std::span<const std::byte> pixels) = 0;

  /// The rows so far, in order: what to ask the coordinator about before seal().
  [[nodiscard]] virtual const std::vector<BlockRow>& rows() const noexcept = 0;
  /// Bytes of pixels appended so far.
  [[nodiscard]] virtual std::uint64_t bytes_so_far() const noexcept = 0;

  /// Writes the index of the wanted rows, closes, checks, hashes, syncs, renames, syncs the folder. `wanted` has one
  /// entry per row. Nothing if no row is wanted: the partial is removed. The file is finished either way.
  [[nodiscard]] virtual std::optional<SealedShard> seal(const std::vector<bool>& wanted) = 0;

 protected:
  ShardFile() = default;
  ShardFile(const ShardFile&) = default;
  ShardFile& operator=(const ShardFile&) = default;
};

/// The last steps of every seal: hashes the closed partial of `name`, ends it with that (file_seal.hpp), syncs it,
/// gives it its name for good. Only then may anybody see it. If it throws, neither name is left, as far as the disk
/// obeys.
[[nodiscard]] FileHash publish_shard(Disk& disk, const RunLayout& layout, const ShardName& name);

}  // namespace pantile
