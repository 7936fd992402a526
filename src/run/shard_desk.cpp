#include "run/shard_desk.hpp"

#include <exception>

#include "base/error.hpp"

namespace pantile {

ShardDesk::ShardDesk(Settings settings, Disk& disk, OpenShardFile open, PixelsOf pixels)
    : settings_{std::move(settings)}, disk_{disk}, open_file_{std::move(open)}, pixels_{std::move(pixels)} {}

template <class Action>
std::vector<ShardAnswer> ShardDesk::guarded(Action action) {
  try {
    action();
    close_if_old();
  } catch (const Error& error) {
    // The rank gives up, and others make what it had. Where the disk is only full, condemn() has seen to it before.
    answers_.emplace_back(StoreHasFailed{error.what()});
  } catch (const std::exception& error) {
    answers_.emplace_back(StoreHasFailed{std::string{"writing results: "} + error.what()});
  }
  return std::exchange(answers_, {});
}

std::vector<ShardAnswer> ShardDesk::on(const ShardOrder& order, double now_s) {
  now_s_ = now_s;
  return guarded([&] { std::visit([this](const auto& told) { carry_out(told); }, order); });
}

std::vector<ShardAnswer> ShardDesk::tick(double now_s) {
  now_s_ = now_s;
  return guarded([] {});
}

void ShardDesk::close() {
  open_.reset();
  waiting_.clear();
}

void ShardDesk::carry_out(const AppendBlock& order) {
  unwritten_.push_back(order);
  write_what_waits();
}

void ShardDesk::carry_out(const WriteAgain& /*order*/) {
  has_room_ = true;
  write_what_waits();
}

void ShardDesk::write_what_waits() {
  while (has_room_ && !unwritten_.empty()) {
    try {
      write(unwritten_.front());
    } catch (const Error& error) {
      // HDF5 lies after a failed write: the first error condemns the shard. The block itself goes into the next one.
      condemn(open_ ? open_->id : ShardId{next_shard_ - 1}, error);
      open_.reset();
    }
  }
}

void ShardDesk::write(const AppendBlock& order) {
  if (!open_) {
    const ShardId shard{next_shard_++};
    open_ = Open{shard, open_file_({settings_.epoch, settings_.rank, shard}), now_s_};
  }
  open_->file->append(order.row, pixels_(order.slot));
  answers_.emplace_back(BlockIsStored{order.row.key, order.slot});
  unwritten_.pop_front();
  if (open_->file->bytes_so_far() >= settings_.shard_bytes) {
    close_open_shard();
  }
}

void ShardDesk::condemn(ShardId shard, const Error& error) {
  if (!is_out_of_space(error)) {
    throw;
  }
  has_room_ = false;
  answers_.emplace_back(ShardIsCondemned{shard, error_number(error), error.what()});
}

void ShardDesk::carry_out(const SealOpenShard& /*order*/) {
  if (open_) {
    close_open_shard();
  } else {
    answers_.emplace_back(ShardIsFull{ShardId{next_shard_++}, {}});
  }
}

void ShardDesk::carry_out(const FinishShard& order) {
  const auto found = waiting_.find(order.shard);
  expect(found != waiting_.end(), "a verdict is about a shard that waits for one");
  const std::unique_ptr<ShardFile> file = std::move(found->second);
  waiting_.erase(found);
  try {
    if (std::optional<SealedShard> sealed = file->seal(order.wanted)) {
      finished_.emplace(order.shard, sealed->name);
      answers_.emplace_back(ShardIsFinished{order.shard, std::move(*sealed)});
    }
  } catch (const Error& error) {
    condemn(order.shard, error);
  }
}

void ShardDesk::carry_out(const DropShard& order) {
  const auto found = finished_.find(order.shard);
  if (found != finished_.end()) {
    try_to_remove(disk_, settings_.layout.shard(found->second));
    finished_.erase(found);
  }
}

void ShardDesk::close_open_shard() {
  ShardIsFull full{open_->id, {}};
  for (const BlockRow& row : open_->file->rows()) {
    full.rows.push_back(row.key);
  }
  waiting_.emplace(open_->id, std::move(open_->file));
  open_.reset();
  answers_.emplace_back(std::move(full));
}

void ShardDesk::close_if_old() {
  if (open_ && now_s_ - open_->since_s >= std::chrono::duration<double>(settings_.seal_after).count()) {
    close_open_shard();
  }
}

}  // namespace pantile
