#include "run/disk_needs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/byte_size.hpp"
#include "base/disk.hpp"
#include "image/block_grid.hpp"

namespace pantile {

// An item of one block takes its pixels, a larger one whole chunks.
std::uint64_t results_bytes(const Prospect& job) {
  const auto in_chunks = [](int side, int whole_side) {
    const int chunk = std::min(block_chunk_side_px, whole_side);
    return std::int64_t{(side + chunk - 1) / chunk} * chunk;
  };
  std::uint64_t bytes = 0;
  for (const WorkItem& item : job.work.items()) {
    const Extent whole = job.output_extent(item.item);
    const BlockGrid grid{whole};
    for (const BlockRange& range : job.work.missing(item)) {
      for (std::uint32_t block = 0; block < range.count; ++block) {
        const Extent extent = grid.rect(BlockId{index(range.first) + block}).extent();
        bytes += static_cast<std::uint64_t>(grid.size() == 1 ? extent.area()
                                                             : in_chunks(extent.height, whole.height) *
                                                                   in_chunks(extent.width, whole.width));
      }
    }
  }
  return bytes * static_cast<std::uint64_t>(job.facts.output_channels);
}

std::uint64_t reserve_bytes(const Prospect& job) {
  // Measured: 74 bytes an item and output, its path once (3,000 items with paths of 26 bytes: 300 kB).
  constexpr std::uint64_t an_item = 128;
  constexpr std::uint64_t an_output = 64;
  return 512 * KiB + job.catalog.size() * (an_item + an_output * job.config.outputs.size());
}

std::optional<std::uint64_t> free_bytes_at(std::filesystem::path folder) {
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  return error ? std::nullopt : std::optional{std::uint64_t{space.available}};
}

std::optional<std::string> space_warning(std::uint64_t needed, std::optional<std::uint64_t> free) {
  if (!free || *free >= needed) {
    return std::nullopt;
  }
  return fmt::format(
      "the results need {} and only {} are free there: the run will wait for space before its end "
      "(output.wait_for_space)",
      format_byte_size(needed), format_byte_size(*free));
}

}  // namespace pantile
