#pragma once
// One output in one shard: the group /out/NAME. Used by ShardWriter alone. HDF5 thread only.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "base/hdf5.hpp"
#include "base/records.hpp"
#include "base/wire.hpp"
#include "store/format.hpp"

namespace pantile {

/// Items of one block go back to back into `bytes`, 256 KiB at a time; those of several get a dataset of their own, in
/// which each block fills whole chunks. All pixels are written by H5Dwrite_chunk, past HDF5's chunk cache: that one
/// loses rows silently when the disk is full for a while. Every function throws Error if HDF5 does.
class OutputWriter {
 public:
  OutputWriter(hid_t out, OutputInfo info, std::uint64_t id);

  [[nodiscard]] hid_t group() const noexcept { return group_.get(); }
  [[nodiscard]] DType dtype() const noexcept { return info_.dtype; }

  /// Adds the pixels of an item's only block; returns where they begin in `bytes`.
  [[nodiscard]] std::uint64_t append_packed(std::span<const std::byte> pixels);
  /// Writes one of several blocks of an item to blocks/ITEM.
  void write_block(const BlockRow& row, std::span<const std::byte> pixels);
  /// Writes what is buffered and gives `bytes` its true size. Nothing may be added afterwards.
  void finish();

 private:
  void flush_chunk();
  hid_t blocks_of(const BlockRow& row, const Extent& chunk);

  OutputInfo info_;
  hdf5::Id group_;
  hdf5::Id type_;
  hdf5::Id bytes_;
  hdf5::Id blocks_;                   // the group, once there is such an item
  std::map<ItemId, hdf5::Id> items_;  // its datasets
  Bytes buffer_;
  std::uint64_t written_ = 0;  // whole chunks in `bytes`
};

}  // namespace pantile
