#include "run/shard_thread.hpp"

#include <memory>
#include <utility>

namespace pantile {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

ShardDesk::OpenShardFile hdf5_shards(RunLayout layout, ShardFacts facts, Disk& disk) {
  return [layout = std::move(layout), facts = std::move(facts), &disk](const ShardName& name) {
    return std::make_unique<ShardWriter>(layout, name, facts, disk);
  };
}

}  // namespace

ShardThread::ShardThread(Settings settings, const Arena& arena, RankLog& log, Disk& disk)
    : log_{log},
      desk_{settings.desk, disk, hdf5_shards(settings.desk.layout, std::move(settings.facts), disk),
            [&arena](const Slot& slot) { return arena.at(slot); }},
      thread_{[this] { work(); }} {}

ShardThread::~ShardThread() { orders_.close(); }

void ShardThread::work() {
  bool works = true;
  while (works) {
    const auto patience = desk_.has_open_shard() ? std::chrono::milliseconds{50} : std::chrono::milliseconds{1000};
    const std::optional<ShardOrder> order = orders_.pop_for(patience);
    if (order) {
      const std::int64_t begin_us = log_.now_us();
      busy_since_us_ = begin_us;
      works = answer(desk_.on(*order, now_s()));
      busy_since_us_ = -1;
      record(*order, begin_us);
    } else if (orders_.closed()) {
      break;
    } else {
      works = answer(desk_.tick(now_s()));
    }
  }
  desk_.close();
}

bool ShardThread::waits_for_disk() const noexcept {
  constexpr std::chrono::microseconds longest_call = std::chrono::minutes{5};
  const std::int64_t since_us = busy_since_us_;
  return since_us >= 0 && log_.now_us() - since_us < longest_call.count();
}

bool ShardThread::answer(std::vector<ShardAnswer> answers) {
  bool works = true;
  for (ShardAnswer& one : answers) {
    works = works && !std::holds_alternative<StoreHasFailed>(one);
    answers_.push(std::move(one), 0);
  }
  return works;
}

void ShardThread::record(const ShardOrder& order, std::int64_t begin_us) {
  if (const auto* append = std::get_if<AppendBlock>(&order)) {
    log_.span({"write", 0, append->row.key.item, append->row.key.block, begin_us, log_.now_us()});
  } else if (std::holds_alternative<FinishShard>(order)) {
    log_.span({"seal", 0, {}, {}, begin_us, log_.now_us()});
  }
}

}  // namespace pantile
