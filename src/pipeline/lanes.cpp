#include "pipeline/lanes.hpp"

#include <algorithm>

namespace pantile {

struct Lanes::Running {
  BlockJob job;
  std::vector<std::uint32_t> todo;  ///< tiles
  std::size_t next = 0;             ///< of todo, that no lane has taken; under Lanes::mutex_
  std::mutex mutex;                 ///< guards what follows
  std::size_t left;
  BlockOutcome outcome;

  explicit Running(BlockJob given) : job{std::move(given)} {
    std::vector<bool> made(job.grid.size());
    for (const std::uint32_t tile : job.made) {
      made.at(tile) = true;
    }
    for (std::uint32_t tile = 0; tile < made.size(); ++tile) {
      if (!made[tile]) {
        todo.push_back(tile);
      }
    }
    left = todo.size();
    outcome.tile = job.grid.tile();
  }
};

Lanes::Lanes(const ModelStage& stage, int count, Clock clock, Told told)
    : stage_{stage}, clock_{std::move(clock)}, told_{std::move(told)} {
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

void Lanes::add(BlockJob job) {
  const auto running = std::make_shared<Running>(std::move(job));
  if (running->todo.empty()) {
    running->outcome.begin_us = running->outcome.end_us = clock_();
    told_.block(running->job, running->outcome);
    return;
  }
  under_way_.fetch_add(1);
  {
    const std::lock_guard lock{mutex_};
    jobs_.push_back(running);
  }
  work_there_.notify_all();
}

void Lanes::cancel(std::uint64_t ticket) {
  const std::lock_guard lock{mutex_};
  for (const std::shared_ptr<Running>& running : jobs_) {
    if (running->job.ticket == ticket) {
      const std::lock_guard job_lock{running->mutex};
      if (!running->outcome.failure) {
        running->outcome.failure = Failure{Fault::none, "cancelled"};
      }
    }
  }
}

std::optional<Lanes::Taken> Lanes::take() {
  std::unique_lock lock{mutex_};
  work_there_.wait(lock, [&] { return closing_ || !jobs_.empty(); });
  if (closing_) {
    return std::nullopt;
  }
  const std::shared_ptr<Running> job = jobs_.front();
  const std::size_t tile = job->todo[job->next++];
  if (job->next == job->todo.size()) {
    jobs_.pop_front();
  }
  return Taken{job, tile};
}

void Lanes::work(std::uint32_t lane) {
  while (const std::optional<Taken> taken = take()) {
    BlockJob& job = taken->job->job;
    const std::int64_t begin_us = clock_();
    const bool hopeless = [&] {
      const std::lock_guard lock{taken->job->mutex};
      return taken->job->outcome.failure.has_value();
    }();
    if (hopeless) {
      // Its pixels do not matter any more; the tile is counted.
      settle(*taken, TileReport{.peak_bytes = 0, .out_of_memory = {}, .tile = job.grid.tile()}, lane, begin_us);
    } else {
      settle(*taken, stage_.run_tile(job.item->part(), job.grid, taken->tile, job.pixels, job.rect), lane, begin_us);
    }
  }
}

void Lanes::settle(const Taken& taken, const Result<TileReport>& result, std::uint32_t lane, std::int64_t begin_us) {
  Running& running = *taken.job;
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
      outcome.peak_bytes = std::max(outcome.peak_bytes, report.peak_bytes);
      outcome.tile = {std::min(outcome.tile.height, report.tile.height),
                      std::min(outcome.tile.width, report.tile.width)};
      if (report.out_of_memory) {
        outcome.out_of_memory = report.out_of_memory;
      }
    }
    last = --running.left == 0;
  }
  if (whole && !last) {
    told_.tile(running.job, static_cast<std::uint32_t>(taken.tile));
  }
  if (last) {
    told_.block(running.job, running.outcome);
    // The image may be freed now, by the lane that used it last.
    running.job.item.reset();
    under_way_.fetch_sub(1);
  }
}

}  // namespace pantile
