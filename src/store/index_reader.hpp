#pragma once
// Looks items up in index.h5 and reads their pixels from the shards: for `inspect`, `export`, `diff`. HDF5 thread only.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/hdf5.hpp"
#include "base/records.hpp"
#include "store/format.hpp"
#include "store/index_table.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

/// One output of one item, with names for people.
struct IndexedOutput {
  ItemId item{};
  OutputId output{};
  IndexRow row{};
  std::string path{};   ///< the item's, as in the catalog
  std::string shard{};  ///< name of its shard; empty if it has none, or several
};

/// Pixels of one output of one item.
struct ItemPixels {
  Extent extent;
  int channels = 0;
  DType dtype = DType::u8;
  Bytes values{};  ///< dense, row-major (height, width, channels), little-endian
};

class IndexReader {
 public:
  /// Throws Error if there is no index.h5, or it is damaged or newer.
  explicit IndexReader(const RunLayout& layout);

  [[nodiscard]] std::uint64_t items() const noexcept { return items_; }
  [[nodiscard]] const std::vector<OutputInfo>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const RunTotals& totals() const noexcept { return totals_; }

  /// Precondition: the item and the output are of this run.
  [[nodiscard]] IndexedOutput find(ItemId item, OutputId output) const;
  /// Reads all paths into memory at once, for those who will ask for many.
  void load_paths();
  /// Items with this path (several inputs may have the same). Loads the paths.
  [[nodiscard]] std::vector<ItemId> find(std::string_view path);
  [[nodiscard]] std::string path(ItemId item) const;
  /// Why an item is in quarantine; nothing if it is not.
  [[nodiscard]] std::optional<QuarantinedItem> quarantine(ItemId item) const;
  /// The blocks of an item that has several, in order; empty for others.
  [[nodiscard]] std::vector<IndexBlock> blocks(ItemId item, OutputId output) const;

  /// The pixels, checked against the digest. Throws Error if the item is not done, or a shard is missing or damaged:
  /// never a fill value in place of a pixel. Needs memory for the whole output of the item.
  [[nodiscard]] ItemPixels read_pixels(ItemId item, OutputId output);

  /// The whole table, as it is on disk.
  [[nodiscard]] std::vector<IndexRow> rows() const;
  [[nodiscard]] std::vector<IndexBlock> all_blocks() const;
  [[nodiscard]] std::vector<std::string> shard_names() const { return shards_; }

 private:
  ShardReader& shard(std::uint32_t at);
  [[nodiscard]] const std::string& shard_name(std::uint32_t at) const;

  RunLayout layout_;
  hdf5::Id file_;
  std::uint64_t items_ = 0;
  std::vector<OutputInfo> outputs_;
  RunTotals totals_;
  std::vector<std::string> shards_;
  std::string paths_;  // by load_paths()
  std::vector<std::uint64_t> path_at_;
  struct OpenShard {
    std::uint32_t at = 0;
    ShardReader reader;
  };
  std::list<OpenShard> open_;  // most recently used first; a few, since every open file costs a descriptor
};

}  // namespace pantile
