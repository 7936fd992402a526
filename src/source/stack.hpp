#pragma once
// A dataset of an HDF5 file as a stack of images: [n, h, w] or [n, h, w, c] of u8 or u16, one image a row.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/extent.hpp"
#include "base/hdf5.hpp"
#include "image/image.hpp"

namespace pantile::detail {

struct StackFacts {
  std::uint64_t rows = 0;
  Extent extent;
  int channels = 0;
  Depth depth = Depth::u8;
};

/// An open stack. Needs an HDF5 that is safe for threads, as distributions build it: rows are read while another thread
/// writes shards. One thread at a time.
class Stack {
 public:
  /// Throws UsageError if the dataset is missing (naming those that are there), or no stack of images; Error if the
  /// file cannot be read.
  Stack(const std::filesystem::path& file, const std::string& dataset);
  [[nodiscard]] const StackFacts& facts() const noexcept { return facts_; }
  /// Precondition: at < facts().rows. Throws Error if HDF5 cannot read it; std::bad_alloc.
  [[nodiscard]] Image row(std::uint64_t at) const;

 private:
  hdf5::Id file_;
  hdf5::Id dataset_;
  StackFacts facts_;
};

/// Splits "a/b.h5:/images" into file and dataset; nothing if it is not written like that.
[[nodiscard]] std::optional<std::pair<std::filesystem::path, std::string>> split_stack_path(const std::string& path);

}  // namespace pantile::detail
