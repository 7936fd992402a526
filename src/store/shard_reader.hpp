#pragma once
// Reads a sealed shard. HDF5 thread only. Damage is an Error with the name of the shard and of the part.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/hdf5.hpp"
#include "base/records.hpp"
#include "store/format.hpp"

namespace pantile {

/// A row of /index, and where its pixels are.
struct StoredRow {
  BlockRow row;
  std::uint64_t offset = 0;  ///< in /out/NAME/bytes, or in_blocks
};
/// Offset of a row whose pixels are in /out/NAME/blocks/ITEM, since its item has several blocks.
inline constexpr std::uint64_t in_blocks = ~std::uint64_t{0};

class ShardReader {
 public:
  /// Opens; throws Error if the file is missing or not a sealed shard of ours, ForeignFormat if of another version.
  explicit ShardReader(const std::filesystem::path& path);

  /// All rows of /index, in order. Checked: columns of one length, rects inside their items, known outputs.
  [[nodiscard]] std::vector<StoredRow> rows() const;
  /// Pixels of one row, dense (rect.height, rect.width, channels).
  [[nodiscard]] Bytes read(const StoredRow& row) const;
  /// The outputs that the shard knows; position = OutputId.
  [[nodiscard]] const std::vector<OutputInfo>& outputs() const noexcept { return outputs_; }
  /// Of the run that wrote it.
  [[nodiscard]] const std::string& run_id() const noexcept { return run_id_; }
  /// The name that it was given when it was written.
  [[nodiscard]] ShardName name() const;
  /// The effective config that it was made with.
  [[nodiscard]] std::string config() const;

 private:
  std::string name_;
  std::string run_id_;
  hdf5::Id file_;
  std::vector<OutputInfo> outputs_;
};

}  // namespace pantile
