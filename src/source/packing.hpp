#pragma once
// How the chunks of an HDF5 dataset are packed, and what they unpack to.
//
// HDF5 unpacks deflate into a buffer that it doubles until the stream ends, whatever the size of a chunk is: a chunk of
// some kilobytes can take gigabytes. So what is deflated is unpacked here, into the size of a chunk and not a byte
// more.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hdf5.hpp"
#include "base/result.hpp"
#include "base/wire.hpp"

namespace pantile::detail {

/// One step of packing, in the order of writing.
struct PackingStep {
  H5Z_filter_t filter = H5Z_FILTER_NONE;
  std::vector<unsigned> values;  ///< its parameters, as the file says
};

class Packing {
 public:
  Packing() = default;
  /// Of a dataset in chunks, by the plan that it was made with, in chunks of `chunk_bytes`.
  Packing(hid_t plan, std::uint64_t chunk_bytes);

  [[nodiscard]] bool none() const noexcept { return steps_.empty(); }
  /// "it is packed with lzf, …" if its chunks cannot be unpacked, or nobody can say what that takes; else empty.
  [[nodiscard]] std::string why_not() const;
  /// True if unpack() is to be used; else HDF5 unpacks it in no more memory than a chunk has, if fits_in() holds.
  [[nodiscard]] bool is_ours() const noexcept { return ours_; }
  [[nodiscard]] std::uint64_t chunk_bytes() const noexcept { return chunk_bytes_; }
  /// More than this is no chunk: a little more than its pixels, for what cannot be packed.
  [[nodiscard]] std::uint64_t most_stored_bytes() const noexcept;
  /// That a stored chunk does not claim to be larger than chunks are; for what HDF5 unpacks.
  [[nodiscard]] bool fits_in(std::span<const std::byte> stored, std::uint32_t skipped) const;
  /// The bytes of a chunk. `skipped`: a bit for each step that this chunk has not gone through. Fault::corrupt if a
  /// checksum is wrong, or it does not unpack to exactly a chunk. Precondition: is_ours().
  [[nodiscard]] Result<Bytes> unpack(Bytes stored, std::uint32_t skipped) const;

 private:
  std::vector<PackingStep> steps_;
  std::uint64_t chunk_bytes_ = 0;
  bool ours_ = false;
};

}  // namespace pantile::detail
