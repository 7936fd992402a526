#pragma once
// The thread of a worker that writes shards. All HDF5 calls of a worker happen here. What it does is ShardDesk's to
// know; this is the thread around it, with a queue in and a queue out.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include "pipeline/arena.hpp"
#include "pipeline/bounded_queue.hpp"
#include "report/rank_log.hpp"
#include "run/shard_store.hpp"
#include "store/shard_writer.hpp"

namespace pantile {

class ShardThread final : public ShardStore {
 public:
  struct Settings {
    ShardDesk::Settings desk;
    ShardFacts facts;
  };
  /// `arena`, `log` and `disk` must outlive it.
  ShardThread(Settings settings, const Arena& arena, RankLog& log, Disk& disk = real_disk());
  ~ShardThread() override;

  void tell(ShardOrder order) override { orders_.push(std::move(order), 0); }
  [[nodiscard]] std::optional<ShardAnswer> poll() override { return answers_.pop_for(std::chrono::milliseconds{0}); }
  [[nodiscard]] bool waits_for_disk() const noexcept override;

 private:
  void work();
  /// Hands the answers on. False once the store has failed.
  bool answer(std::vector<ShardAnswer> answers);
  void record(const ShardOrder& order, std::int64_t begin_us);

  RankLog& log_;
  std::atomic<std::int64_t> busy_since_us_{-1};  ///< of the log's clock; negative: idle
  ShardDesk desk_;
  BoundedQueue<ShardOrder> orders_{BoundedQueue<ShardOrder>::unbounded};
  BoundedQueue<ShardAnswer> answers_{BoundedQueue<ShardAnswer>::unbounded};
  std::jthread thread_;
};

}  // namespace pantile
