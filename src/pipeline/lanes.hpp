#pragma once
// The lanes of a device: threads that take tiles, one after another, from the blocks that are under way. The tile is
// the unit of work here, so that one large image keeps all lanes busy.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/records.hpp"
#include "base/result.hpp"
#include "image/tile_grid.hpp"
#include "pipeline/model_stage.hpp"

namespace pantile {

/// A decoded image, or the part of it that a block needs, shared by the blocks that are made of it.
struct DecodedItem {
  Image image;
  Rect rect;     ///< where it lies in the item
  Extent whole;  ///< of the item
  std::uint64_t input_xxh3 = 0;
  Charge charge;  ///< its pixels, on the device's meter
  [[nodiscard]] ImagePart part() const { return {image.view(), rect, whole}; }
};

/// What became of a block. `failure` is set, or all of its pixels are written.
struct BlockOutcome {
  std::optional<Failure> failure;
  double busy_ms = 0;            ///< time of its tiles, summed over lanes
  std::uint64_t peak_bytes = 0;  ///< largest engine memory of one of its tiles
  Extent tile;                   ///< core input pixels of the smallest tile that was run
  std::optional<Extent> out_of_memory;
  std::uint32_t lane = 0;     ///< that ended it
  std::int64_t begin_us = 0;  ///< of its first tile, by the clock given to Lanes
  std::int64_t end_us = 0;
};

/// One block on its way through the lanes.
struct BlockJob {
  std::uint64_t ticket = 0;  ///< the caller's name for it
  std::shared_ptr<const DecodedItem> item;
  TileGrid grid;
  Rect rect;                       ///< of the block, output pixels of the item
  std::span<std::uint8_t> pixels;  ///< of the block; the caller's, until the outcome is told
  BlockKey key;
  std::vector<std::uint32_t> made{};  ///< tiles whose pixels are there already, from an executor before this one
};

class Lanes {
 public:
  /// Microseconds of the caller's steady clock.
  using Clock = std::function<std::int64_t()>;
  /// What the lanes tell, each on the lane that did it.
  struct Told {
    std::function<void(const BlockJob&, std::uint32_t tile)> tile;      ///< its pixels are in the block
    std::function<void(const BlockJob&, const BlockOutcome&)> block{};  ///< once for each job, after its last tile
  };

  /// Starts `count` threads. `stage` must outlive the lanes.
  Lanes(const ModelStage& stage, int count, Clock clock, Told told);
  /// Drops the tiles that no lane has taken, and waits for those that one has.
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Any thread. Blocks are begun in the order of their jobs. Never waits: the arena bounds what is under way.
  void add(BlockJob job);
  /// The tiles of this block that no lane has taken are not made: it ends as a failure without a fault.
  void cancel(std::uint64_t ticket);
  /// True if no block is under way.
  [[nodiscard]] bool idle() const noexcept { return under_way_.load() == 0; }
  /// Busy time of all lanes since the start, microseconds.
  [[nodiscard]] std::int64_t busy_us() const noexcept { return busy_us_.load(std::memory_order_relaxed); }

 private:
  struct Running;
  struct Taken {
    std::shared_ptr<Running> job;
    std::size_t tile = 0;
  };
  [[nodiscard]] std::optional<Taken> take();
  void work(std::uint32_t lane);
  void settle(const Taken& taken, const Result<TileReport>& result, std::uint32_t lane, std::int64_t begin_us);

  const ModelStage& stage_;
  Clock clock_;
  Told told_;
  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<std::shared_ptr<Running>> jobs_;  ///< with tiles that no lane has taken
  bool closing_ = false;
  std::atomic<std::int64_t> busy_us_{0};
  std::atomic<int> under_way_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace pantile
