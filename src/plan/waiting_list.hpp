#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace pantile {

/// The waiting items, in one order for ever. An item is its position in the vector of costs, and keeps its place: a bit
/// tells whether it waits. A tree of 64-bit words over the bits finds the next one, so that insert, erase and next
/// are O(log n) with a base of 64, without an allocation.
class WaitingList {
 public:
  using ItemIndex = std::uint32_t;

  enum class Order : std::uint8_t { largest_first, as_given };

  /// Nobody waits at first. Items of equal cost keep the order of `costs_px`.
  explicit WaitingList(const std::vector<std::uint64_t>& costs_px, Order order = Order::largest_first);

  /// Precondition: it does not wait yet; it waits.
  void insert(ItemIndex item);
  void erase(ItemIndex item);
  [[nodiscard]] bool contains(ItemIndex item) const;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Sum of what waits.
  [[nodiscard]] std::uint64_t total_px() const noexcept { return total_px_; }

  /// The largest waiting item of at most `limit_px`. Precondition: the order is largest_first.
  [[nodiscard]] std::optional<ItemIndex> largest(std::uint64_t limit_px) const;
  /// The first of all that wait.
  [[nodiscard]] std::optional<ItemIndex> first() const { return at_or_behind(0); }
  /// The last of all that wait: the smallest, where the order is largest_first.
  [[nodiscard]] std::optional<ItemIndex> last() const;
  /// The first one that waits from `item` on, itself included if it does.
  [[nodiscard]] std::optional<ItemIndex> from(ItemIndex item) const { return at_or_behind(places_[item]); }
  /// The next waiting item behind `item`, which itself need not wait.
  [[nodiscard]] std::optional<ItemIndex> after(ItemIndex item) const;

 private:
  [[nodiscard]] std::optional<ItemIndex> at_or_behind(std::size_t place) const;

  Order order_;
  std::vector<std::uint64_t> costs_;                ///< by place
  std::vector<ItemIndex> items_;                    ///< by place
  std::vector<std::uint32_t> places_;               ///< by item
  std::vector<std::vector<std::uint64_t>> levels_;  ///< bit i of a level: word i of the level below is not zero
  std::size_t size_ = 0;
  std::uint64_t total_px_ = 0;
};

}  // namespace pantile
