#pragma once
// A dataset of an HDF5 file as a stack of images: [n, h, w] or [n, h, w, c] of u8 or u16, one image a row.

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/extent.hpp"
#include "base/hdf5.hpp"
#include "base/result.hpp"
#include "image/image.hpp"
#include "source/packing.hpp"

namespace pantile::detail {

struct StackFacts {
  std::uint64_t rows = 0;
  Extent extent;
  int channels = 0;
  Depth depth = Depth::u8;
  std::uint64_t beside_bytes = 0;  ///< what reading a row takes beside its pixels: a chunk of a packed dataset
};

/// An open stack. Needs an HDF5 that is safe for threads, as distributions build it: rows are read while another thread
/// writes shards. One thread at a time.
class Stack {
 public:
  /// Throws UsageError if the dataset is missing (naming those that are there), is no stack of images, has its pixels
  /// in other files, packs them in a way that cannot be undone or in chunks that are out of all proportion, or cannot
  /// be read.
  Stack(const std::filesystem::path& file, const std::string& dataset);
  [[nodiscard]] const StackFacts& facts() const noexcept { return facts_; }
  /// Fault::truncated if some of its pixels were never written: HDF5 would make them up. Fault::corrupt if they do not
  /// unpack to as many as a chunk has. Precondition: at < facts().rows. Throws Error if HDF5 cannot read it;
  /// std::bad_alloc.
  [[nodiscard]] Result<Image> row(std::uint64_t at);

 private:
  using Place = std::array<hsize_t, 4>;
  struct Chunk {
    Place corner;
    Bytes bytes;
  };
  [[nodiscard]] std::optional<std::uint64_t> stored_bytes(const Place& corner) const;
  [[nodiscard]] Failure look_at_chunk(const Place& corner) const;
  [[nodiscard]] Result<const Bytes*> unpacked(const Place& corner);
  [[nodiscard]] Failure for_each_chunk(std::uint64_t at, const std::function<Failure(const Place&)>& visit) const;
  void forget();
  void copy(const Bytes& chunk, const Place& corner, std::uint64_t at, Image& into) const;
  [[nodiscard]] Failure unpack_row(std::uint64_t at, Image& into);
  void read_row(std::uint64_t at, Image& into) const;

  hdf5::Id file_;
  hdf5::Id dataset_;
  StackFacts facts_;
  Place sides_{1, 1, 1, 1};  ///< rows, height, width, channels
  Place chunk_{};            ///< the same of a chunk; zeros if it is not in chunks
  Packing packing_;
  bool bare_edges_ = false;  ///< chunks over the edge are not packed
  std::deque<Chunk> kept_;   ///< chunks of several rows: the next row wants them too
};

/// Splits "a/b.h5:/images" into file and dataset; nothing if it is not written like that.
[[nodiscard]] std::optional<std::pair<std::filesystem::path, std::string>> split_stack_path(const std::string& path);

}  // namespace pantile::detail
