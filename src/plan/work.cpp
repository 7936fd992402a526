#include "plan/work.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"

namespace pantile {

void Work::add(ItemId item, std::uint64_t cost_px, std::span<const BlockRange> missing, std::uint32_t failed_attempts) {
  const auto is_empty = [](const BlockRange& range) { return range.count == 0; };
  expect(!missing.empty() && std::none_of(missing.begin(), missing.end(), is_empty), "an item to do misses blocks");
  constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max();
  const auto end = static_cast<std::uint32_t>(ranges_.size());
  const auto [shared, is_new] =
      missing.size() == 1 ? lone_ranges_.try_emplace(missing.front(), end) : std::pair{lone_ranges_.end(), true};
  expect(missing.size() <= most && ranges_.size() + missing.size() <= std::numeric_limits<std::uint32_t>::max(),
         "the ranges of the work can be counted");
  items_.push_back({.item = item,
                    .cost_px = cost_px,
                    .first_range = is_new ? end : shared->second,
                    .range_count = static_cast<std::uint16_t>(missing.size()),
                    .failed_attempts = static_cast<std::uint16_t>(std::min<std::size_t>(failed_attempts, most))});
  if (is_new) {
    ranges_.insert(ranges_.end(), missing.begin(), missing.end());
  }
}

std::span<const BlockRange> Work::missing(const WorkItem& item) const {
  return std::span{ranges_}.subspan(item.first_range, item.range_count);
}

void Work::sort() {
  std::sort(items_.begin(), items_.end(), [](const WorkItem& a, const WorkItem& b) { return a.item < b.item; });
  const auto same = [](const WorkItem& a, const WorkItem& b) { return a.item == b.item; };
  expect(std::adjacent_find(items_.begin(), items_.end(), same) == items_.end(), "each item is in the work once");
}

}  // namespace pantile
