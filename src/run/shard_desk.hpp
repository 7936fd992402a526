#pragma once
// What a worker does about its shards, without thread, clock or queue: it is told orders and the time, and answers.
// When the open shard is large or old enough, it asks to seal it. ShardThread puts a thread around it; tests/sim plays
// it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/records.hpp"
#include "pipeline/arena.hpp"
#include "store/shard_file.hpp"

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
struct WriteAgain {};  ///< the disk has room again
using ShardOrder = std::variant<AppendBlock, SealOpenShard, FinishShard, DropShard, SealAfter, WriteAgain>;

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
/// The disk has no room: all that this shard had is lost, and is to be made again. Blocks that come now stay where they
/// are, in their slots, until WriteAgain; so the arena fills up, and who computes waits.
struct ShardIsCondemned {
  ShardId shard{};
  int number = 0;  ///< errno: ENOSPC, EDQUOT or EROFS
  std::string text;
};
/// Writing failed for good: an I/O error. Nothing of the open shards counts.
struct StoreHasFailed {
  std::string text;
};
using ShardAnswer = std::variant<BlockIsStored, ShardIsFull, ShardIsFinished, ShardIsCondemned, StoreHasFailed>;

class ShardDesk {
 public:
  struct Settings {
    RunLayout layout;
    Epoch epoch{};
    RankId rank{};
    std::uint64_t shard_bytes = 0;
    std::chrono::milliseconds seal_after{};
  };
  using OpenShardFile = std::function<std::unique_ptr<ShardFile>(const ShardName&)>;
  using PixelsOf = std::function<std::span<const std::byte>(const Slot&)>;

  /// `disk` removes what is dropped; it must outlive the desk. `open` begins a shard; `pixels` tells what is in a slot.
  ShardDesk(Settings settings, Disk& disk, OpenShardFile open, PixelsOf pixels);

  /// Carries an order out. `now_s`: seconds of any clock that never goes back. After StoreHasFailed the desk is not
  /// used again.
  [[nodiscard]] std::vector<ShardAnswer> on(const ShardOrder& order, double now_s);
  /// Time has passed: is the open shard too old?
  [[nodiscard]] std::vector<ShardAnswer> tick(double now_s);
  /// Gives up what is not sealed: it never happened.
  void close();

  [[nodiscard]] bool has_open_shard() const noexcept { return open_.has_value(); }

 private:
  struct Open {
    ShardId id{};
    std::unique_ptr<ShardFile> file;
    double since_s = 0;
  };
  template <class Action>
  std::vector<ShardAnswer> guarded(Action action);
  void carry_out(const AppendBlock& order);
  void carry_out(const SealOpenShard& order);
  void carry_out(const FinishShard& order);
  void carry_out(const DropShard& order);
  void carry_out(const SealAfter& order) { settings_.seal_after = order.age; }
  void carry_out(const WriteAgain& order);
  void write_what_waits();
  void write(const AppendBlock& order);
  /// Only from a handler of `error`, which it throws again if it is of another kind.
  void condemn(ShardId shard, const Error& error);
  void close_open_shard();
  void close_if_old();

  Settings settings_;
  Disk& disk_;
  OpenShardFile open_file_;
  PixelsOf pixels_;
  std::optional<Open> open_;
  bool has_room_ = true;                                   ///< on the disk, as far as is known
  std::deque<AppendBlock> unwritten_;                      ///< until there is room again
  std::map<ShardId, std::unique_ptr<ShardFile>> waiting_;  ///< for the coordinator's verdict
  std::map<ShardId, std::string> finished_;                ///< names of sealed shards that may yet be refused
  std::uint32_t next_shard_ = 0;
  double now_s_ = 0;
  std::vector<ShardAnswer> answers_;
};

}  // namespace pantile
