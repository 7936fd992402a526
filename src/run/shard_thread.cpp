#include "run/shard_thread.hpp"

#include <exception>
#include <filesystem>
#include <string>
#include <system_error>

#include "run/executor.hpp"

namespace pantile {

ShardThread::ShardThread(Settings settings, const Arena& arena, RankLog& log)
    : settings_{std::move(settings)}, arena_{arena}, log_{log}, thread_{[this] { work(); }} {}

ShardThread::~ShardThread() { orders_.close(); }

void ShardThread::work() {
  try {
    for (;;) {
      const auto patience = open_ ? std::chrono::milliseconds{50} : std::chrono::milliseconds{1000};
      std::optional<ShardOrder> order = orders_.pop_for(patience);
      if (order) {
        std::visit([this](auto& told) { on(told); }, *order);
      } else if (orders_.closed()) {
        break;
      }
      if (open_ && Clock::now() - open_->second.opened >= settings_.seal_after) {
        close_open_shard();
      }
    }
    open_.reset();
    waiting_.clear();
  } catch (const Error& error) {
    // The first error condemns all that is open: HDF5 lies after a failed write (facts of the format's page).
    answers_.push(StoreHasFailed{error.what()}, 0);
  } catch (const std::exception& error) {
    answers_.push(StoreHasFailed{std::string{"writing results: "} + error.what()}, 0);
  }
}

void ShardThread::on(const AppendBlock& order) {
  if (!open_) {
    const ShardId shard{next_shard_++};
    open_.emplace(shard, Shard{ShardWriter{settings_.layout, {settings_.epoch, settings_.rank, shard}, settings_.facts},
                               Clock::now()});
  }
  const std::int64_t begin_us = log_.now_us();
  open_->second.writer.append(order.row, arena_.at(order.slot));
  log_.span({"write", 0, order.row.key.item, order.row.key.block, begin_us, log_.now_us()});
  answers_.push(BlockIsStored{order.row.key, order.slot}, 0);
  if (open_->second.writer.bytes_so_far() >= settings_.shard_bytes) {
    close_open_shard();
  }
}

void ShardThread::on(const SealOpenShard& /*order*/) {
  if (open_) {
    close_open_shard();
  } else {
    answers_.push(ShardIsFull{ShardId{next_shard_++}, {}}, 0);
  }
}

void ShardThread::close_open_shard() {
  ShardIsFull full{open_->first, {}};
  for (const BlockRow& row : open_->second.writer.rows()) {
    full.rows.push_back(row.key);
  }
  waiting_.emplace(open_->first, std::move(open_->second));
  open_.reset();
  answers_.push(std::move(full), 0);
}

void ShardThread::on(FinishShard& order) {
  const auto found = waiting_.find(order.shard);
  expect(found != waiting_.end(), "a verdict is about a shard that waits for one");
  const std::int64_t begin_us = log_.now_us();
  std::optional<SealedShard> sealed = found->second.writer.seal(order.wanted);
  waiting_.erase(found);
  log_.span({"seal", 0, {}, {}, begin_us, log_.now_us()});
  if (sealed) {
    finished_.emplace(order.shard, sealed->name);
    answers_.push(ShardIsFinished{order.shard, std::move(*sealed)}, 0);
  }
}

void ShardThread::on(const DropShard& order) {
  const auto found = finished_.find(order.shard);
  if (found != finished_.end()) {
    std::error_code ignored;  // An orphan is swept away by the next resume.
    std::filesystem::remove(settings_.layout.shard(found->second), ignored);
    finished_.erase(found);
  }
}

}  // namespace pantile
