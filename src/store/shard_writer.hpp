#pragma once
// One shard: one HDF5 file, one writer, written once. It is data only when it is closed, hashed, synced and renamed;
// a file whose writer was killed is not readable and never counts.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/records.hpp"
#include "store/format.hpp"

namespace pantile {

/// What a shard says about where it comes from.
struct ShardFacts {
  std::string run_id{};
  std::string config{};                         ///< effective config, YAML text
  std::string binary{};                         ///< version of the program
  std::map<std::string, std::string> models{};  ///< path → digest, hex
  std::vector<OutputInfo> outputs{};            ///< all outputs of the run; position = OutputId
};

/// A shard that is on disk for good. It counts from the moment its ShardCommit is in the journal, not before.
struct SealedShard {
  std::string name{};            ///< "e0003-r0017-000042.h5"
  std::uint64_t bytes = 0;       ///< of the file
  Hash128 hash{};                ///< xxh3_128 of the whole file
  Hash128 content_sum{};         ///< sum of the rows' digests
  std::vector<BlockRow> rows{};  ///< in the order of /index
};

/// Writes `shards/NAME.h5.partial`. HDF5 thread only.
///
/// Every member throws Error at the first failing call and has removed the partial then: the writer is condemned, any
/// later call but the destructor is our mistake. HDF5's objects of a condemned file are not closed (closing crashes).
class ShardWriter {
 public:
  /// Starts an empty shard in the existing folder `layout.shards()`.
  ShardWriter(const RunLayout& layout, const ShardName& name, ShardFacts facts);
  /// Unsealed, it never happened: removes the partial.
  ~ShardWriter();
  ShardWriter(ShardWriter&&) noexcept;
  ShardWriter& operator=(ShardWriter&&) noexcept;

  /// Adds one finished block. `pixels`: its values, dense (rect.height, rect.width, channels), row.bytes() of them;
  /// they are copied or written before it returns. A block that the shard already has is left alone (first one wins).
  void append(const BlockRow& row, std::span<const std::byte> pixels);

  /// The rows so far, in order: what to ask the coordinator about before seal().
  [[nodiscard]] const std::vector<BlockRow>& rows() const noexcept;
  /// Bytes of pixels appended so far.
  [[nodiscard]] std::uint64_t bytes_so_far() const noexcept;
  [[nodiscard]] const ShardName& name() const noexcept;

  /// Writes the index of the wanted rows, closes, checks, hashes, syncs, renames, syncs the folder. `wanted` has one
  /// entry per row. Nothing if no row is wanted: the partial is removed. The writer is finished either way.
  [[nodiscard]] std::optional<SealedShard> seal(const std::vector<bool>& wanted);

 private:
  class File;
  std::unique_ptr<File> file_;
};

}  // namespace pantile
