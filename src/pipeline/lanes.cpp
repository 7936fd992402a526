#include "pipeline/lanes.hpp"

#include <algorithm>

namespace pantile {

struct Lanes::Running {
  BlockJob job;
  std::vector<bool> made;  ///< tiles that an executor before this one has made
  std::mutex mutex;        ///< guards what follows
  std::size_t left;        ///< tiles, fed or not, that are not done
  std::size_t fed = 0;     ///< tiles that need not be waited for, those already made included
  BlockOutcome outcome;

  explicit Running(BlockJob given) : job{std::move(given)}, made(job.grid.size()), left{job.grid.size()} {
    for (const std::uint32_t tile : job.made) {
      made.at(tile) = true;
    }
    outcome.tile = job.grid.tile();
  }
};

/// Tiles that were fed together.
struct Lanes::Portion {
  Block block;
  std::shared_ptr<const DecodedItem> pixels;
  std::vector<std::uint32_t> todo;  ///< tiles
  std::size_t next = 0;             ///< of todo, that no lane has taken; under Lanes::mutex_
  std::atomic<std::size_t> left;    ///< that are not done

  Portion(Block of, std::shared_ptr<const DecodedItem> from, std::vector<std::uint32_t> tiles)
      : block{std::move(of)}, pixels{std::move(from)}, todo{std::move(tiles)}, left{todo.size()} {}
};

Lanes::Lanes(const ModelStage& stage, int count, Clock clock, Told told)
    : stage_{stage}, clock_{std::move(clock)}, told_{std::move(told)}, used_{static_cast<std::uint32_t>(count)} {
  expect(count >= 1, "a device has at least one lane");
  for (int lane = 0; lane < count; ++lane) {
    threads_.emplace_back([this, lane] { work(static_cast<std::uint32_t>(lane)); });
  }
}

Lanes::~Lanes() {
  {
    const std::lock_guard lock{mutex_};
    closing_ = true;
  }
  work_there_.notify_all();
}

void Lanes::use(int count) {
  {
    const std::lock_guard lock{mutex_};
    used_ = static_cast<std::uint32_t>(std::clamp(count, 1, static_cast<int>(threads_.size())));
  }
  work_there_.notify_all();
}

Lanes::Block Lanes::open(BlockJob job) {
  auto running = std::make_shared<Running>(std::move(job));
  const std::lock_guard lock{mutex_};
  std::erase_if(blocks_, [](const std::weak_ptr<Running>& block) { return block.expired(); });
  blocks_.push_back(running);
  return running;
}

void Lanes::feed(const Block& block, const std::shared_ptr<const DecodedItem>& pixels, TileRange tiles,
                 bool is_crowded) {
  Running& running = *block;
  std::vector<std::uint32_t> todo;
  bool last = false;
  {
    const std::lock_guard lock{running.mutex};
    running.job.input_xxh3 = pixels->input_xxh3;
    running.job.is_crowded = running.job.is_crowded || is_crowded;
    for (std::size_t tile = tiles.begin; tile < tiles.end; ++tile) {
      if (!running.made.at(tile)) {
        todo.push_back(static_cast<std::uint32_t>(tile));
      }
    }
    running.fed += tiles.end - tiles.begin;
    running.left -= tiles.end - tiles.begin - todo.size();
    last = running.left == 0;
    if (last && running.outcome.busy_ms == 0) {
      running.outcome.begin_us = running.outcome.end_us = clock_();
    }
  }
  if (last) {
    end(running);
  }
  if (todo.empty()) {
    return;
  }
  under_way_.fetch_add(1);
  {
    const std::lock_guard lock{mutex_};
    portions_.push_back(std::make_shared<Portion>(block, pixels, std::move(todo)));
  }
  work_there_.notify_all();
}

void Lanes::give_up(const Block& block, Failure failure) {
  Running& running = *block;
  bool last = false;
  {
    const std::lock_guard lock{running.mutex};
    if (!running.outcome.failure) {
      running.outcome.failure = std::move(failure);
    }
    running.left -= running.job.grid.size() - running.fed;
    running.fed = running.job.grid.size();
    last = running.left == 0;
  }
  if (last) {
    end(running);
  }
}

void Lanes::cancel(std::uint64_t ticket) {
  const std::lock_guard lock{mutex_};
  for (const std::weak_ptr<Running>& block : blocks_) {
    const Block running = block.lock();
    if (running && running->job.ticket == ticket) {
      const std::lock_guard job_lock{running->mutex};
      if (running->left > 0 && !running->outcome.failure) {  // else it is being told of
        running->outcome.failure = Failure{Fault::none, "cancelled"};
      }
    }
  }
}

std::optional<Lanes::Taken> Lanes::take(std::uint32_t lane) {
  std::unique_lock lock{mutex_};
  work_there_.wait(lock, [&] { return closing_ || (!portions_.empty() && lane < used_); });
  if (closing_) {
    return std::nullopt;
  }
  const std::shared_ptr<Portion> portion = portions_.front();
  const std::uint32_t tile = portion->todo[portion->next++];
  if (portion->next == portion->todo.size()) {
    portions_.pop_front();
  }
  return Taken{portion, tile};
}

void Lanes::work(std::uint32_t lane) {
  while (std::optional<Taken> taken = take(lane)) {
    Portion& portion = *taken->portion;
    Running& running = *portion.block;
    BlockJob& job = running.job;
    const std::int64_t begin_us = clock_();
    const bool hopeless = [&] {
      const std::lock_guard lock{running.mutex};
      return running.outcome.failure.has_value();
    }();
    // The pixels of a hopeless one do not matter any more; its tiles are counted.
    const Result<TileReport> result =
        hopeless
            ? Result<TileReport>{TileReport{.peak_bytes = 0, .input = {}, .out_of_memory = {}, .tile = job.grid.tile()}}
            : stage_.run_tile(portion.pixels->part(), job.grid, taken->tile, job.pixels, job.rect);
    if (portion.left.fetch_sub(1) == 1) {
      // Freed now, by the lane that used them last, and before anybody hears of it.
      portion.pixels.reset();
      under_way_.fetch_sub(1);
    }
    settle(running, taken->tile, result, lane, begin_us);
  }
}

void Lanes::settle(Running& running, std::uint32_t tile, const Result<TileReport>& result, std::uint32_t lane,
                   std::int64_t begin_us) {
  const std::int64_t end_us = clock_();
  busy_us_.fetch_add(end_us - begin_us, std::memory_order_relaxed);
  bool last = false;
  bool whole = false;
  {
    const std::lock_guard lock{running.mutex};
    BlockOutcome& outcome = running.outcome;
    outcome.begin_us = outcome.busy_ms == 0 ? begin_us : std::min(outcome.begin_us, begin_us);
    outcome.end_us = std::max(outcome.end_us, end_us);
    outcome.busy_ms += static_cast<double>(std::max<std::int64_t>(1, end_us - begin_us)) / 1000;
    outcome.lane = lane;
    if (!result) {
      outcome.failure = result.failure();
    } else {
      whole = !outcome.failure;
      const TileReport& report = result.value();
      if (report.peak_bytes > outcome.peak_bytes) {
        outcome.peak_bytes = report.peak_bytes;
        outcome.input = report.input;
      }
      outcome.tile = {std::min(outcome.tile.height, report.tile.height),
                      std::min(outcome.tile.width, report.tile.width)};
      if (report.out_of_memory) {
        outcome.out_of_memory = report.out_of_memory;
      }
    }
    last = --running.left == 0;
  }
  if (whole && !last) {
    told_.tile(running.job, tile);
  }
  if (last) {
    end(running);
  }
}

void Lanes::end(Running& running) { told_.block(running.job, running.outcome); }

}  // namespace pantile
