// What a worker does with its memory: shares out the cap, follows it where it moves, and learns what tiles need.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "device/cpu.hpp"
#include "device/process_memory.hpp"
#include "run/worker.hpp"

namespace pantile {
namespace {

std::string in_words(const std::string& device, std::uint64_t cap_bytes, const MemoryLayout& layout) {
  return fmt::format("{}: {}: {}", device, format_byte_size(cap_bytes), layout.tiles.why);
}

}  // namespace

/// The cap by the config, and what others may still want of the device.
MemoryTerms Worker::memory_terms() const {
  const MemoryConfig& memory = config_.devices.memory;
  const std::uint64_t total = host_memory_limit().bytes;
  const auto refusal = request_->plan(0);
  const auto* const least = std::get_if<DeviceRequest::Refusal>(&refusal);
  return {.cap_bytes = device_cap(memory, parts_.share),
          .leave_bytes = std::min(total, memory.leave.of(total)),
          .floor_bytes = least == nullptr ? 0 : least->least_cap_bytes,
          .workers = parts_.share.workers};
}

/// The first plan. Throws UsageError if the config's cap is too little.
void Worker::plan_memory() {
  const MemoryTerms terms = memory_terms();
  adopt(plan_device(*request_, terms.cap_bytes), terms.cap_bytes);
  memory_.emplace(terms);
  look_at_memory();
  if (memory_->in_force() != cap_bytes_) {
    adopt(plan_device(*request_, memory_->in_force()), memory_->in_force());
  }
}

void Worker::adopt(MemoryLayout layout, std::uint64_t cap_bytes) {
  layout_ = std::move(layout);
  cap_bytes_ = cap_bytes;
  log_plan();
  space_->set_limit(layout_.arena_bytes);
  arena_over_ = space_->highest_end() - std::min(space_->highest_end(), layout_.arena_bytes);
  changed_us_ = parts_.now_us();
  use_ = use_for_plan();
  for (auto& [id, item] : items_) {
    cut_into_strips(item);
  }
}

void Worker::log_plan() {
  log_->plan({.device = parts_.share.device,
              .device_class = device_class_,
              .cap_bytes = cap_bytes_,
              .predicted_bytes = request_->standing_bytes() + layout_.predicted_bytes(),
              .tile = layout_.tiles.core,
              .lanes = layout_.tiles.lanes,
              .why = layout_.tiles.why});
}

/// From the next tile on. Blocks that lie beyond a smaller arena are still made, at the cost of the tiles.
void Worker::change_to(MemoryLayout layout, std::uint64_t cap_bytes) {
  adopt(std::move(layout), cap_bytes);
  arena_->forget({space_->highest_end(), arena_->capacity() - space_->highest_end()});
  maker_->change_use(use_, cap_bytes_);
}

DeviceUse Worker::use_for_plan() const {
  DeviceUse use{.engine_bytes = layout_.engine_bytes - std::min(layout_.engine_bytes, arena_over_),
                .decoded_bytes = layout_.decoded_bytes,
                .tile = layout_.tiles.core,
                .lanes = layout_.tiles.lanes,
                .least_tile_bytes = layout_.least_tile_bytes,
                .is_passing = arena_over_ > 0};
  if (arena_over_ == 0) {
    return use;
  }
  const auto planned = request_->plan(cap_bytes_ - std::min(cap_bytes_, arena_over_));
  if (const auto* const lower = std::get_if<MemoryLayout>(&planned)) {
    use.decoded_bytes = lower->decoded_bytes;
    use.tile = lower->tiles.core;
    use.lanes = lower->tiles.lanes;
    use.engine_bytes = std::max(use.engine_bytes, lower->tiles.predicted_bytes + lower->decoded_bytes);
  } else {
    use.engine_bytes = std::max(use.engine_bytes, use.least_tile_bytes);  // Nothing ends without a tile.
  }
  return use;
}

void Worker::give_back(const Slot& slot) {
  space_->give_back(slot);
  if (arena_over_ == 0) {
    return;
  }
  const std::uint64_t end = std::max(space_->highest_end(), layout_.arena_bytes);
  const std::uint64_t over = end - layout_.arena_bytes;
  if (over < arena_over_) {
    arena_over_ = over;
    changed_us_ = parts_.now_us();
    arena_->forget({end, arena_->capacity() - end});
    use_ = use_for_plan();
    maker_->change_use(use_, cap_bytes_);
  }
}

void Worker::on(SetMemory& message) {
  if (!request_) {
    set_once_open_ = std::move(message);  // Nobody knows yet what would do.
    return;
  }
  const RunConfig config = parts_.read_config(message.config, welcome_.config_folder);
  const MemoryConfig before = std::exchange(config_.devices.memory, config.devices.memory);
  const MemoryTerms terms = memory_terms();
  auto planned = request_->plan(terms.cap_bytes);
  if (const auto* const refusal = std::get_if<DeviceRequest::Refusal>(&planned)) {
    config_.devices.memory = before;
    say(MemoryIsSet{message.number, false,
                    fmt::format("{}: {}", parts_.share.device, too_little(terms.cap_bytes, *refusal)),
                    layout_.tiles.lanes});
    return;
  }
  memory_->set_terms(terms);
  if (!follow_memory() && cap_bytes_ != memory_->in_force()) {
    change_to(std::get<MemoryLayout>(std::move(planned)), terms.cap_bytes);
  }
  say(MemoryIsSet{message.number, true, in_words(parts_.share.device, cap_bytes_, layout_), layout_.tiles.lanes});
}

/// Plans anew for the cap in force, if that has moved. True if it has.
bool Worker::follow_memory() {
  const std::uint64_t cap_bytes = memory_->in_force();
  if (cap_bytes == cap_bytes_) {
    return false;
  }
  auto planned = request_->plan(cap_bytes);
  auto* const layout = std::get_if<MemoryLayout>(&planned);
  if (layout == nullptr) {
    return false;  // The budget's floor says that there is one, but for a bound that is news.
  }
  change_to(std::move(*layout), cap_bytes);
  return true;
}

void Worker::look_at_memory() {
  const std::optional<MemorySample> sample = monitor_ ? monitor_->sample() : std::nullopt;
  if (!sample) {
    return;
  }
  const std::array<int, 2> ours{::getpid(), maker_->executor_process().value_or(0)};
  memory_->look({.time_s = now_s(),
                 .limit_bytes = sample->limit_bytes,
                 .used_bytes = sample->used_bytes,
                 .used_by_us_bytes = used_by_processes(std::span{ours}.first(ours[1] == 0 ? 1 : 2)),
                 .used_by_workers_bytes = {}});
}

/// Each second: what other programs take is left to them, and taken again when they have gone.
void Worker::watch_memory() {
  if (!memory_ || now_s() < next_look_s_) {
    return;
  }
  next_look_s_ = now_s() + 1;
  const std::uint64_t before = cap_bytes_;
  look_at_memory();
  if (follow_memory()) {
    say(MemoryIsSet{0, true,
                    fmt::format("{} ({}; other programs have {})", in_words(parts_.share.device, cap_bytes_, layout_),
                                cap_bytes_ < before ? "less, since memory is short" : "more, since memory is free",
                                format_byte_size(memory_->others_bytes())),
                    layout_.tiles.lanes});
  }
}

/// What a block has told of tiles: who is surprised tells all.
void Worker::learn(const BlockIsDone& done) {
  Footprint& footprint = request_->footprint();
  bool is_news = !done.input.empty() && footprint.observe(done.input, 1, done.peak_bytes);
  // The executor tells only of tiles that had the room that was planned for them.
  if (!done.out_of_memory.empty() && arena_over_ == 0 && done.begin_us > changed_us_) {
    const bool is_bound = footprint.forbid(done.out_of_memory, 1, cap_bytes_);
    if (is_bound) {
      log::warn("a tile of {} did not fit under the memory cap; its block was made of tiles of {}",
                to_string(done.out_of_memory), to_string(done.tile));
    }
    is_news = is_bound || is_news;
  }
  if (is_news) {
    say(FootprintHasChanged{device_class_, footprint});
    plan_again();
  }
}

void Worker::on(FootprintHasChanged& message) {
  if (request_ && message.device_class == device_class_ && request_->footprint().learn_from(message.footprint)) {
    plan_again();
  }
}

/// The same cap, and other tiles perhaps. Where nothing fits by what is known now, all stays as it is: tiles that do
/// not fit are still made of smaller ones.
void Worker::plan_again() {
  calibration_.footprint = request_->footprint();
  keep_calibration(calibrations_, calibration_);
  maker_->learnt(calibration_);
  auto planned = request_->plan(cap_bytes_);
  auto* const layout = std::get_if<MemoryLayout>(&planned);
  if (layout == nullptr || (layout->tiles.core == layout_.tiles.core && layout->tiles.lanes == layout_.tiles.lanes)) {
    return;
  }
  change_to(std::move(*layout), cap_bytes_);
  say(MemoryIsSet{0, true, in_words(parts_.share.device, cap_bytes_, layout_) + " (tiles need more than was predicted)",
                  layout_.tiles.lanes});
}

/// Of this process and its executor. Pages that both have mapped are counted twice: no cap is kept by these figures.
MemoryState Worker::memory_now(const ExecutorBeat& beat) {
  MemoryState state{.cap = cap_bytes_,
                    .predicted = request_->standing_bytes() + layout_.predicted_bytes(),
                    .used = beat.resident_bytes,
                    .peak = beat.peak_bytes,
                    .others = memory_->others_bytes()};
  if (maker_->executor_process()) {
    state.used += own_bytes(config_.devices.isolation);
    state.peak = 0;
  }
  peak_bytes_ = std::max({peak_bytes_, state.used, state.peak});
  state.peak = peak_bytes_;
  return state;
}

/// The order in which blocks of an item are made, so that its pixels are decoded seldom and never more than fit.
void Worker::cut_into_strips(ItemInHand& item) const {
  const HeaderFacts& header = item.assigned.header;
  const int pixel_bytes = header.channels * (header.bits == 16 ? 2 : 1);
  item.strip = strip_columns(facts_.geometry, request_->border(), header.extent, pixel_bytes, use_.decoded_bytes);
  item.order_by_strips();
}

}  // namespace pantile
