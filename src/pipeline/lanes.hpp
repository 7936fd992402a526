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
  Charge charge;  ///< its pixels, on the device's meter; released after them
  Image image;
  Rect rect;     ///< where it lies in the item
  Extent whole;  ///< of the item
  std::uint64_t input_xxh3 = 0;
  [[nodiscard]] ImagePart part() const { return {image.view(), rect, whole}; }
};

/// What became of a block. `failure` is set, or all of its pixels are written.
struct BlockOutcome {
  std::optional<Failure> failure;
  double busy_ms = 0;            ///< time of its tiles, summed over lanes
  std::uint64_t peak_bytes = 0;  ///< largest engine memory of one of its tiles
  Extent input;                  ///< what the model was shown for that one
  Extent tile;                   ///< core input pixels of the smallest tile that was run
  std::optional<Extent> out_of_memory;
  std::uint32_t lane = 0;     ///< that ended it
  std::int64_t begin_us = 0;  ///< of its first tile, by the clock given to Lanes
  std::int64_t end_us = 0;
};

/// One block on its way through the lanes.
struct BlockJob {
  std::uint64_t ticket = 0;  ///< the caller's name for it
  TileGrid grid;
  Rect rect;                       ///< of the block, output pixels of the item
  std::span<std::uint8_t> pixels;  ///< of the block; the caller's, until the outcome is told
  BlockKey key;
  std::vector<std::uint32_t> made{};  ///< tiles whose pixels are there already, from an executor before this one
  std::uint64_t input_xxh3 = 0;       ///< of the item, once some of it was fed
  bool is_crowded = false;            ///< as it was fed
};

/// Tiles of a block, by their numbers.
struct TileRange {
  std::size_t begin = 0;
  std::size_t end = 0;
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

  struct Running;
  using Block = std::shared_ptr<Running>;
  /// A block whose pixels come in one part or in several; each of its tiles is fed once, or the block is given up. Any
  /// thread, here and below. Nothing waits: the arena bounds what is under way.
  [[nodiscard]] Block open(BlockJob job);
  /// What these tiles look at. Tiles are made in the order in which they are fed. The pixels are held until then.
  /// `is_crowded`: there is less room for tiles than was planned.
  void feed(const Block& block, const std::shared_ptr<const DecodedItem>& pixels, TileRange tiles,
            bool is_crowded = false);
  /// What was not fed of it will not be: once its other tiles are done, it ends as this failure.
  void give_up(const Block& block, Failure failure);
  /// The tiles of this block that no lane has taken are not made: it ends as a failure without a fault.
  void cancel(std::uint64_t ticket);
  /// So many lanes work from now on, the first ones; the others wait. At least 1, and at most as many as were started.
  void use(int count);
  /// True if no tile that was fed is left to do.
  [[nodiscard]] bool idle() const noexcept { return under_way_.load() == 0; }
  /// Busy time of all lanes since the start, microseconds.
  [[nodiscard]] std::int64_t busy_us() const noexcept { return busy_us_.load(std::memory_order_relaxed); }

 private:
  struct Portion;
  struct Taken {
    std::shared_ptr<Portion> portion;
    std::uint32_t tile = 0;
  };
  [[nodiscard]] std::optional<Taken> take(std::uint32_t lane);
  void work(std::uint32_t lane);
  void settle(Running& running, std::uint32_t tile, const Result<TileReport>& result, std::uint32_t lane,
              std::int64_t begin_us);
  void end(Running& running);

  const ModelStage& stage_;
  Clock clock_;
  Told told_;
  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<std::shared_ptr<Portion>> portions_;  ///< with tiles that no lane has taken
  std::vector<std::weak_ptr<Running>> blocks_;     ///< that may be under way
  std::uint32_t used_;                             ///< lanes that may take tiles
  bool closing_ = false;
  std::atomic<std::int64_t> busy_us_{0};
  std::atomic<int> under_way_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace pantile
