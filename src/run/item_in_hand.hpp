#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "cluster/messages.hpp"
#include "image/block_grid.hpp"

namespace pantile {

/// An item on its way through a worker: assigned, and not yet told to be computed, failed or given back.
struct ItemInHand {
  AssignedItem assigned;
  std::vector<BlockKey> todo;  ///< in the order of work
  std::size_t begun = 0;       ///< of todo, handed to the executor
  std::size_t out = 0;         ///< handed to the executor, not answered
  std::size_t stored = 0;      ///< appended to a shard
  std::size_t lost = 0;        ///< failed, cancelled, or done after another block had failed
  std::optional<double> started_s;
  std::optional<Failure> failure;
  std::uint32_t strip = 0;  ///< block columns whose pixels are decoded together; 0: all
  bool comes_back = false;  ///< what is not begun of it is cancelled: somebody else, or a later start, makes the rest

  explicit ItemInHand(AssignedItem given) : assigned{std::move(given)} {
    for (const BlockRange& range : assigned.blocks) {
      for (std::uint32_t i = 0; i < range.count; ++i) {
        todo.push_back({assigned.item, range.output, BlockId{index(range.first) + i}});
      }
    }
  }

  /// What is not begun is made strip by strip, each from top to bottom.
  void order_by_strips() {
    const std::uint64_t columns = static_cast<std::uint64_t>(BlockGrid{assigned.output_extent}.columns());
    const std::uint64_t strip_columns = strip == 0 ? columns : strip;
    const auto place = [&](const BlockKey& key) {
      const std::uint64_t column = index(key.block) % columns;
      return std::tuple{key.output, column / strip_columns, index(key.block) / columns, column};
    };
    std::sort(todo.begin() + static_cast<std::ptrdiff_t>(begun), todo.end(),
              [&](const BlockKey& a, const BlockKey& b) { return place(a) < place(b); });
  }

  /// Every block that was asked for is in a shard.
  [[nodiscard]] bool complete() const noexcept { return stored == todo.size(); }
  /// Nothing more of it is wanted from here.
  [[nodiscard]] bool is_off() const noexcept { return failure || comes_back; }
  /// A block of it is with the executor or the shard thread.
  [[nodiscard]] bool under_way() const noexcept { return out > 0 || stored + lost < begun; }
  /// What the executor holds for it: at most three bytes a pixel in the common case.
  [[nodiscard]] std::uint64_t decoded_bytes() const noexcept {
    return static_cast<std::uint64_t>(assigned.header.extent.area()) * 3;
  }
};

}  // namespace pantile
