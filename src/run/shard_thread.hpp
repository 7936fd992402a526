#pragma once
// The thread of a worker that writes shards. All HDF5 calls of a worker happen here. It is told what to do by a queue,
// and answers by another; its decisions are few: when the open shard is large or old enough, it asks to seal it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "pipeline/arena.hpp"
#include "pipeline/bounded_queue.hpp"
#include "report/rank_log.hpp"
#include "store/shard_writer.hpp"

namespace pantile {

// What it is told.
struct AppendBlock {
  BlockRow row;
  Slot slot;
};
struct SealOpenShard {};  ///< answered by ShardIsFull, with or without rows
struct FinishShard {
  ShardId shard{};
  std::vector<bool> wanted;
};
struct DropShard {
  ShardId shard{};
};
struct SealAfter {
  std::chrono::milliseconds age{};
};
using ShardOrder = std::variant<AppendBlock, SealOpenShard, FinishShard, DropShard, SealAfter>;

// What it answers, in the order of its work.
struct BlockIsStored {
  BlockKey key;
  Slot slot;  ///< free again
};
/// The shard takes no more rows: ask the coordinator about them. Without rows there was no open shard.
struct ShardIsFull {
  ShardId shard{};
  std::vector<BlockKey> rows;
};
struct ShardIsFinished {
  ShardId shard{};
  SealedShard sealed;
};
/// Writing failed for good: a full disk, an I/O error. Nothing of the open shards counts.
struct StoreHasFailed {
  std::string text;
};
using ShardAnswer = std::variant<BlockIsStored, ShardIsFull, ShardIsFinished, StoreHasFailed>;

class ShardThread {
 public:
  struct Settings {
    RunLayout layout;
    Epoch epoch{};
    RankId rank{};
    ShardFacts facts;
    std::uint64_t shard_bytes = 0;
    std::chrono::milliseconds seal_after{};
  };
  /// `arena` and `log` must outlive it.
  ShardThread(Settings settings, const Arena& arena, RankLog& log);
  /// Unsealed shards never happened.
  ~ShardThread();
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  void tell(ShardOrder order) { orders_.push(std::move(order), 0); }
  [[nodiscard]] std::optional<ShardAnswer> poll() { return answers_.pop_for(std::chrono::milliseconds{0}); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Shard {
    ShardWriter writer;
    Clock::time_point opened;
  };
  void work();
  void on(const AppendBlock& order);
  void on(const SealOpenShard& order);
  void on(FinishShard& order);
  void on(const DropShard& order);
  void on(const SealAfter& order) { settings_.seal_after = order.age; }
  void close_open_shard();

  Settings settings_;
  const Arena& arena_;
  RankLog& log_;
  // The protocol bounds both: an order or an answer stands for a slot of the arena, or for a shard.
  BoundedQueue<ShardOrder> orders_{BoundedQueue<ShardOrder>::unbounded};
  BoundedQueue<ShardAnswer> answers_{BoundedQueue<ShardAnswer>::unbounded};
  std::uint32_t next_shard_ = 0;
  std::optional<std::pair<ShardId, Shard>> open_;
  std::map<ShardId, Shard> waiting_;  ///< for the coordinator's verdict
  std::map<ShardId, std::string> finished_;
  std::jthread thread_;
};

}  // namespace pantile
