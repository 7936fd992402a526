#include "plan/waiting_list.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/error.hpp"

namespace pantile {

namespace {
constexpr std::size_t word_bits = 64;
[[nodiscard]] constexpr std::uint64_t bit(std::size_t place) { return std::uint64_t{1} << (place % word_bits); }
}  // namespace

WaitingList::WaitingList(const std::vector<std::uint64_t>& costs_px, Order order)
    : order_{order}, costs_(costs_px.size()), items_(costs_px.size()), places_(costs_px.size()) {
  std::iota(items_.begin(), items_.end(), ItemIndex{0});
  if (order == Order::largest_first) {
    std::stable_sort(items_.begin(), items_.end(), [&](ItemIndex a, ItemIndex b) { return costs_px[a] > costs_px[b]; });
  }
  for (std::size_t place = 0; place < items_.size(); ++place) {
    costs_[place] = costs_px[items_[place]];
    places_[items_[place]] = static_cast<std::uint32_t>(place);
  }
  std::size_t bits = std::max<std::size_t>(1, items_.size());
  do {
    bits = (bits + word_bits - 1) / word_bits;
    levels_.emplace_back(bits, 0);
  } while (bits > 1);
}

bool WaitingList::contains(ItemIndex item) const {
  return (levels_[0][places_[item] / word_bits] & bit(places_[item])) != 0;
}

void WaitingList::insert(ItemIndex item) {
  expect(!contains(item), "an item starts to wait only once");
  std::size_t place = places_[item];
  total_px_ += costs_[place];
  ++size_;
  for (auto& level : levels_) {
    level[place / word_bits] |= bit(place);
    place /= word_bits;
  }
}

void WaitingList::erase(ItemIndex item) {
  expect(contains(item), "only an item that waits stops waiting");
  std::size_t place = places_[item];
  total_px_ -= costs_[place];
  --size_;
  for (auto& level : levels_) {
    auto& word = level[place / word_bits];
    word &= ~bit(place);
    if (word != 0) {
      break;  // the words above keep their bit: others wait here
    }
    place /= word_bits;
  }
}

std::optional<WaitingList::ItemIndex> WaitingList::largest(std::uint64_t limit_px) const {
  expect(order_ == Order::largest_first, "the largest is asked of a list that is in this order");
  const auto first = std::partition_point(costs_.begin(), costs_.end(), [&](auto cost) { return cost > limit_px; });
  return at_or_behind(static_cast<std::size_t>(first - costs_.begin()));
}

std::optional<WaitingList::ItemIndex> WaitingList::last() const {
  if (empty()) {
    return std::nullopt;
  }
  std::size_t place = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    place = place * word_bits + (word_bits - 1 - static_cast<std::size_t>(std::countl_zero((*level)[place])));
  }
  return items_[place];
}

std::optional<WaitingList::ItemIndex> WaitingList::after(ItemIndex item) const {
  return at_or_behind(places_[item] + std::size_t{1});
}

std::optional<WaitingList::ItemIndex> WaitingList::at_or_behind(std::size_t place) const {
  // Upwards until a word has a bit at or behind the place, then down along the first bits.
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const std::size_t at = place / word_bits;
    if (at >= levels_[level].size()) {
      return std::nullopt;
    }
    if (const auto rest = levels_[level][at] & ~(bit(place) - 1); rest != 0) {
      place = at * word_bits + static_cast<std::size_t>(std::countr_zero(rest));
      while (level > 0) {
        --level;
        place = place * word_bits + static_cast<std::size_t>(std::countr_zero(levels_[level][place]));
      }
      return items_[place];
    }
    place = at + 1;
  }
  return std::nullopt;
}

}  // namespace pantile
