// What a worker does with blocks: gives them to its executor, and what comes back to its shards.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.hpp"
#include "image/block_grid.hpp"
#include "run/worker.hpp"
#include "run/worker_setup.hpp"

namespace pantile {

void Worker::on(Opened& opened) {
  facts_ = opened.facts;
  device_class_ = opened.device_class;
  calibration_ = opened.calibration;
  keep_calibration(calibrations_, calibration_);
  const int lanes = lanes_for(config_, parts_.share);
  request_ = std::make_unique<DeviceRequest>(config_, opened, welcome_.extents, lanes);
  plan_memory();
  shards_ = parts_.open_store(shard_settings(welcome_, config_, transport_.self()), *arena_, *log_);
  maker_->start_lanes(lanes, use_, cap_bytes_, now_s());
  say(Ready{parts_.share.device, device_class_, opened.engine, layout_.tiles.lanes, layout_.tiles.why, memory_now({})});
  if (std::optional<SetMemory> set = std::exchange(set_once_open_, std::nullopt)) {
    on(*set);
  }
}

void Worker::on(OpenFailed& failed) { throw Error{failed.text, static_cast<ExitCode>(failed.code)}; }

void Worker::on(BlockIsDone& done) {
  Ticket ticket = take(done.ticket);
  ItemInHand& item = items_.at(ticket.item);
  --item.out;
  log_->span({"compute", done.lane, ticket.item, ticket.row.key.block, done.begin_us - log_start_us_,
              done.end_us - log_start_us_});
  learn(done);
  if (item.failure) {
    ++item.lost;
    give_back(ticket.slot);
    settle(ticket.item);
    return;
  }
  ticket.row.digest = done.digest;
  ticket.row.input_xxh3 = done.input_xxh3;
  ticket.row.tile = done.tile;
  ticket.row.milliseconds = done.milliseconds;
  ticket.row.peak_bytes = done.peak_bytes;
  shards_->tell(AppendBlock{ticket.row, ticket.slot});
}

void Worker::on(BlockHasFailed& failed) {
  if (failed.fault == Fault::unreadable) {
    expect_inputs(welcome_.roots);
  }
  const Ticket ticket = take(failed.ticket);
  give_back(ticket.slot);
  ItemInHand& item = items_.at(ticket.item);
  --item.out;
  ++item.lost;
  if (!item.failure && failed.fault != Fault::none) {
    item.failure = Failure{failed.fault, failed.detail};
    maker_->cancel(ticket.item);
    std::erase(waiting_, ticket.item);
  }
  settle(ticket.item);
}

void Worker::on(DecodeSpan& span) {
  log_->span({"decode", 0, span.item, {}, span.begin_us - log_start_us_, span.end_us - log_start_us_});
}

void Worker::on(ExecutorBeat& beat) {
  const std::int64_t now_us = parts_.now_us();
  constexpr std::int64_t least_us = 1000;  // It says so each second; one that an image took over, as fast as it can.
  if (now_us - last_beat_us_ < least_us) {
    return;
  }
  const double possible_us = static_cast<double>(now_us - last_beat_us_) * layout_.tiles.lanes;
  const double busy = possible_us > 0 ? static_cast<double>(beat.busy_us - last_busy_us_) / possible_us : 0;
  last_beat_us_ = now_us;
  last_busy_us_ = beat.busy_us;
  say(Beat{memory_now(beat), std::clamp(busy, 0.0, 1.0), shards_ && shards_->waits_for_disk()});
}

/// Hands blocks to the executor as long as there is room for their pixels and for the images they come from.
bool Worker::dispatch() {
  bool any = false;
  while (!waiting_.empty() && shards_) {
    ItemInHand& item = items_.at(waiting_.front());
    if (item.begun == 0 && decoded_ahead() > 0 && decoded_ahead() + item.decoded_bytes() > layout_.decoded_bytes) {
      break;
    }
    const BlockKey key = item.todo[item.begun];
    BlockRow row{.key = key,
                 .attempt = item.assigned.attempt,
                 .item_extent = item.assigned.output_extent,
                 .rect = BlockGrid{item.assigned.output_extent}.rect(key.block),
                 .channels = facts_.output_channels,
                 .dtype = DType::u8,
                 .digest = {},
                 .input_xxh3 = 0,
                 .tile = layout_.tiles.core,
                 .device_class = device_class_,
                 .milliseconds = 0,
                 .peak_bytes = 0};
    std::optional<Slot> slot = space_->take(row.bytes());
    if (!slot && space_->used() == 0) {
      space_->set_limit(space_->capacity());  // No block is too large for an arena that has nothing else.
      slot = space_->take(row.bytes());
    }
    if (!slot) {
      break;
    }
    begin(item, std::move(row), *slot);
    any = true;
  }
  return any;
}

void Worker::begin(ItemInHand& item, BlockRow row, const Slot& slot) {
  item.started_s = item.started_s.value_or(now_s());
  ++item.begun;
  ++item.out;
  const bool last = item.begun == item.todo.size();
  const std::uint64_t ticket = next_ticket_++;
  maker_->make(RunBlock{.ticket = ticket,
                        .key = row.key,
                        .attempt = item.assigned.attempt,
                        .place = item.assigned.place,
                        .header = item.assigned.header,
                        .rect = row.rect,
                        .tile = layout_.tiles.core,
                        .slot = slot,
                        .last_of_item = last,
                        .strip = item.strip},
               item.assigned.attempt > 1, now_s());
  tickets_.emplace(ticket, Ticket{row.key.item, std::move(row), slot, parts_.now_us()});
  if (last) {
    waiting_.pop_front();
  }
}

/// Bytes of the images that the executor holds or will soon hold.
std::uint64_t Worker::decoded_ahead() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, item] : items_) {
    bytes += item.out > 0 ? item.decoded_bytes() : 0;
  }
  return bytes;
}

/// At a stop: what would take too long is not finished.
void Worker::give_back_begun() {
  std::vector<ItemId> begun;
  for (auto& [id, item] : items_) {
    if (!item.is_off()) {
      begun.push_back(id);
    }
  }
  for (const auto& [number, ticket] : tickets_) {
    if (!items_.at(ticket.item).is_off()) {  // The log shall show what a stop has cost.
      log_->span({"dropped", 0, ticket.item, ticket.row.key.block, ticket.begun_us - log_start_us_,
                  parts_.now_us() - log_start_us_});
    }
  }
  for (const ItemId id : begun) {
    items_.at(id).comes_back = true;
    std::erase(waiting_, id);
    maker_->cancel(id);
    settle(id);
  }
  if (maker_) {
    maker_->leave_off(now_s());
  }
}

/// An item that is off is told of once nothing of it is under way any more.
void Worker::settle(ItemId id) {
  const auto found = items_.find(id);
  const ItemInHand& item = found->second;
  if (!item.is_off() || item.under_way()) {
    return;
  }
  if (item.failure) {
    say(ItemHasFailed{id, item.failure->fault, item.failure->detail});
  } else {
    say(ItemComesBack{id});
  }
  forget(found);
}

void Worker::forget(std::unordered_map<ItemId, ItemInHand>::iterator item) {
  maker_->settled(item->first);
  items_.erase(item);
}

void Worker::certify(const ExecutorDeath& death, const std::vector<InFlight::Begun>& begun) {
  DeathCertificate certificate{
      .how = death.how, .pid = death.pid, .oom_kills = death.oom_kills, .begun = {}, .words = death.words};
  std::string items;
  for (const InFlight::Begun& one : begun) {
    certificate.begun.emplace_back(one.item, one.tiles_made);
    items += fmt::format("{}{}", items.empty() ? " at work on item " : ", ", index(one.item));
  }
  log_->death(certificate);
  log::warn("the executor of {} died ({}){}; another one takes over", parts_.share.device, death.how, items);
}

Worker::Ticket Worker::take(std::uint64_t number) {
  auto node = tickets_.extract(number);
  expect(!node.empty(), "an executor answers tickets that it was given");
  return std::move(node.mapped());
}

}  // namespace pantile
