#include "store/output_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/byte_size.hpp"
#include "image/block_grid.hpp"

namespace pantile {

namespace {

constexpr std::size_t bytes_chunk = 256 * KiB;  // 74k items/s written, 5k random reads/s; larger ones read slower
static_assert(block_side_px % block_chunk_side_px == 0, "blocks must not share a chunk");

using hdf5::check;
using hdf5::Id;
using hdf5::own;

Id create_chunked(hid_t parent, const std::string& name, hid_t type, std::span<const hsize_t> dims,
                  std::span<const hsize_t> most, std::span<const hsize_t> chunk) {
  const Id space = own(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), most.data()), "make a dataspace");
  const Id layout = own(H5Pcreate(H5P_DATASET_CREATE), "make a property list");
  check(H5Pset_chunk(layout.get(), static_cast<int>(chunk.size()), chunk.data()), "set the chunk size");
  const Id access = own(H5Pcreate(H5P_DATASET_ACCESS), "make a property list");
  check(H5Pset_chunk_cache(access.get(), 0, 0, 0), "turn off the chunk cache");
  return own(H5Dcreate2(parent, name.c_str(), type, space.get(), H5P_DEFAULT, layout.get(), access.get()),
             "create the dataset " + name);
}

/// The part of a block that lies in one chunk, as the chunk's bytes. Where a chunk reaches beyond the item there are
/// zeros.
Bytes cut_chunk(const BlockRow& row, std::span<const std::byte> pixels, const Extent& chunk, int y, int x) {
  const std::size_t pixel_bytes = static_cast<std::size_t>(row.channels) * size_of(row.dtype);
  const auto chunk_row = static_cast<std::size_t>(chunk.width) * pixel_bytes;
  const auto block_row = static_cast<std::size_t>(row.rect.width) * pixel_bytes;
  const auto width = static_cast<std::size_t>(std::min(chunk.width, row.rect.width - x)) * pixel_bytes;
  const int height = std::min(chunk.height, row.rect.height - y);
  Bytes bytes(static_cast<std::size_t>(chunk.height) * chunk_row);
  for (int line = 0; line < height; ++line) {
    const std::size_t from = static_cast<std::size_t>(y + line) * block_row + static_cast<std::size_t>(x) * pixel_bytes;
    std::memcpy(bytes.data() + static_cast<std::size_t>(line) * chunk_row, pixels.data() + from, width);
  }
  return bytes;
}

}  // namespace

OutputWriter::OutputWriter(hid_t out, OutputInfo info, std::uint64_t id)
    : info_{std::move(info)}, group_{hdf5::create_group(out, info_.name)}, type_{hdf5::type_of(info_.dtype)} {
  hdf5::write_attribute(group_.get(), "output", id);
  hdf5::write_attribute(group_.get(), "dtype", name(info_.dtype));
  hdf5::write_attribute(group_.get(), "codec", "raw");
  const std::array<hsize_t, 1> dims{0};
  const std::array<hsize_t, 1> most{H5S_UNLIMITED};
  const std::array<hsize_t, 1> chunk{bytes_chunk};
  bytes_ = create_chunked(group_.get(), "bytes", H5T_STD_U8LE, dims, most, chunk);
  buffer_.reserve(bytes_chunk);
}

std::uint64_t OutputWriter::append_packed(std::span<const std::byte> pixels) {
  const std::uint64_t offset = written_ + buffer_.size();
  while (!pixels.empty()) {
    const auto part = pixels.first(std::min(pixels.size(), bytes_chunk - buffer_.size()));
    buffer_.insert(buffer_.end(), part.begin(), part.end());
    pixels = pixels.subspan(part.size());
    if (buffer_.size() == bytes_chunk) {
      flush_chunk();
    }
  }
  return offset;
}

void OutputWriter::write_block(const BlockRow& row, std::span<const std::byte> pixels) {
  // A chunk of HDF5 may not be larger than a dataset of fixed size.
  const Extent chunk{std::min(block_chunk_side_px, row.item_extent.height),
                     std::min(block_chunk_side_px, row.item_extent.width)};
  const hid_t dataset = blocks_of(row, chunk);
  for (int y = 0; y < row.rect.height; y += chunk.height) {
    for (int x = 0; x < row.rect.width; x += chunk.width) {
      const Bytes bytes = cut_chunk(row, pixels, chunk, y, x);
      const std::array<hsize_t, 3> at{static_cast<hsize_t>(row.rect.y + y), static_cast<hsize_t>(row.rect.x + x), 0};
      check(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, at.data(), bytes.size(), bytes.data()),
            "write a chunk of " + info_.name + "/blocks/" + std::to_string(index(row.key.item)));
    }
  }
}

void OutputWriter::finish() {
  const hsize_t size = written_ + buffer_.size();
  if (!buffer_.empty()) {
    flush_chunk();
  }
  check(H5Dset_extent(bytes_.get(), &size), "set the size of " + info_.name + "/bytes");
}

void OutputWriter::flush_chunk() {
  buffer_.resize(bytes_chunk);
  const hsize_t at = written_;
  const hsize_t size = written_ + bytes_chunk;
  check(H5Dset_extent(bytes_.get(), &size), "extend " + info_.name + "/bytes");
  check(H5Dwrite_chunk(bytes_.get(), H5P_DEFAULT, 0, &at, bytes_chunk, buffer_.data()),
        "write a chunk of " + info_.name + "/bytes");
  written_ = size;
  buffer_.clear();
}

hid_t OutputWriter::blocks_of(const BlockRow& row, const Extent& chunk) {
  if (!blocks_) {
    blocks_ = hdf5::create_group(group_.get(), "blocks");
  }
  Id& dataset = items_[row.key.item];
  if (!dataset) {
    // Of the size of the whole output, so that a position means the same in every shard; most of it is in other shards.
    const std::array<hsize_t, 3> dims{static_cast<hsize_t>(row.item_extent.height),
                                      static_cast<hsize_t>(row.item_extent.width), static_cast<hsize_t>(row.channels)};
    const std::array<hsize_t, 3> sides{static_cast<hsize_t>(chunk.height), static_cast<hsize_t>(chunk.width), dims[2]};
    dataset = create_chunked(blocks_.get(), std::to_string(index(row.key.item)), type_.get(), dims, dims, sides);
  }
  return dataset.get();
}

}  // namespace pantile
