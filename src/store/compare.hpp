#pragma once
// Two runs, item by item: the same pixels, or by how much not.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/records.hpp"
#include "store/format.hpp"

namespace pantile {

/// How far two outputs of one extent, number of channels and type are apart.
struct PixelDifference {
  std::uint64_t pixels = 0;     ///< in which any channel differs
  std::uint64_t of_pixels = 0;  ///< all
  double largest = 0;           ///< of one value, in levels of 8 bits: 1 is a 255th of white
};
/// "12 of 4096 pixels differ, the most by 3 of 255"
[[nodiscard]] std::string in_words(const PixelDifference& difference);
/// Pure. Precondition: both have the same number of bytes, whole pixels. A value that is no number, or differs in half
/// precision, differs by infinity.
[[nodiscard]] PixelDifference difference_of(std::span<const std::byte> one, std::span<const std::byte> other,
                                            DType dtype, int channels);

/// An item whose results differ by more than is allowed.
struct ItemDifference {
  std::string path{};
  std::string output{};
  std::string what{};  ///< a plain sentence
  PixelDifference pixels{};
};

struct Comparison {
  std::uint64_t equal = 0;      ///< bit for bit
  std::uint64_t within = 0;     ///< differ, but not by more than is allowed
  std::uint64_t only_here = 0;  ///< there, the item or its result is missing
  std::uint64_t only_there = 0;
  std::uint64_t neither = 0;  ///< in quarantine or not done in both
  double largest = 0;         ///< difference of any item, those within the tolerance included
  std::string largest_path{};
  std::vector<ItemDifference> items{};                ///< in the order of the first run
  std::vector<std::string> only{};                    ///< a sentence for each of only_here and only_there, the first 20
  std::array<std::vector<std::string>, 2> classes{};  ///< device classes that made each run, if anything differs
  std::string settings{};                             ///< lines of run.yaml that differ, if anything differs

  [[nodiscard]] bool same() const noexcept { return items.empty() && only_here == 0 && only_there == 0; }
};

/// Items and outputs of two runs, matched by id if their catalogs are the same, else by input and path; outputs by
/// name. Counts are of outputs of items. `tolerance` in levels of 8 bits. Digests are taken from the indexes, pixels
/// are read only where they differ, or cannot be compared since ids do. Throws Error if a run has no index, or a
/// damaged one. HDF5 thread only.
[[nodiscard]] Comparison compare_runs(const RunLayout& here, const RunLayout& there, double tolerance);

}  // namespace pantile
