#pragma once
// One worker rank, from its first message to its last: it gets units from the coordinator, hands blocks to its
// executor, and finished blocks to its shard thread. It has no rule of its own about what is done where.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "cluster/messages.hpp"
#include "cluster/transport.hpp"
#include "config/config.hpp"
#include "device/device_monitor.hpp"
#include "pipeline/arena.hpp"
#include "plan/memory_budget.hpp"
#include "report/rank_log.hpp"
#include "run/block_maker.hpp"
#include "run/calibration_files.hpp"
#include "run/device_plan.hpp"
#include "run/executor_host.hpp"
#include "run/item_in_hand.hpp"
#include "run/shard_thread.hpp"

namespace pantile {

/// What a worker has of its machine. The simulation gives it another one.
struct WorkerParts {
  NodeShare share;
  std::function<std::int64_t()> now_us;  ///< microseconds of a clock that never goes back
  std::function<std::unique_ptr<ExecutorHost>(DevicesConfig::Isolation, const Arena&)> host_executor;
  std::function<std::unique_ptr<ShardStore>(ShardThread::Settings, const Arena&, RankLog&)> open_store;
  std::function<std::unique_ptr<RankLog>(const RunLayout&, RankId, Epoch)> open_log;
  std::function<RunConfig(const std::string& text, const std::string& folder)> read_config;
  std::function<CalibrationFolders(const RunLayout&)> calibrations;
  std::function<std::unique_ptr<DeviceMonitor>()> watch_memory;  ///< of the device; may give none
};

/// A worker without a loop: whoever has it calls step() until it has left. One thread.
class Worker {
 public:
  Worker(Transport& transport, WorkerParts parts) : transport_{transport}, parts_{std::move(parts)} {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// The first message.
  void say_hello();
  /// Looks at everything once. True if something happened. Throws Error if this worker cannot go on.
  bool step();
  /// The run's code, once the coordinator has said Leave.
  [[nodiscard]] std::optional<ExitCode> leaves_with() const noexcept { return leave_; }

 private:
  struct Ticket {
    ItemId item{};
    BlockRow row;
    Slot slot;
    std::int64_t begun_us = 0;
  };
  using Items = std::unordered_map<ItemId, ItemInHand>;

  template <class Message>
  void say(Message message) {
    transport_.send(RankId{0}, encode_message(ToCoordinator{std::move(message)}));
  }
  [[nodiscard]] double now_s() const { return static_cast<double>(parts_.now_us()) / 1e6; }

  // The coordinator's messages.
  void on(Welcome& welcome);
  void on(ProbeBatch& batch);
  void on(AssignUnit& unit);
  void on(GiveBack& message);
  void on(SealPlease& message);
  void on(SealAnswer& answer);
  void on(DeleteShard& message);
  void on(SpaceIsBack& message);
  void on(SetMemory& message);
  void on(FootprintHasChanged& message);
  void on(Leave& message);

  // What the executor says (worker_blocks.cpp).
  void on(Opened& opened);
  void on(OpenFailed& failed);
  void on(BlockIsDone& done);
  void on(BlockHasFailed& failed);
  void on(DecodeSpan& span);
  void on(ExecutorBeat& beat);
  void certify(const ExecutorDeath& death, const std::vector<InFlight::Begun>& begun);

  // The shard thread's answers.
  void on(BlockIsStored& stored);
  void on(ShardIsFull& full);
  void on(ShardIsFinished& finished);
  void on(ShardIsCondemned& lost);
  void on(StoreHasFailed& failed);

  // Work (worker_blocks.cpp).
  bool dispatch();
  void begin(ItemInHand& item, BlockRow row, const Slot& slot);
  [[nodiscard]] std::uint64_t decoded_ahead() const;
  void give_back_begun();
  void settle(ItemId id);
  void forget(Items::iterator item);
  Ticket take(std::uint64_t number);
  void give_back(const Slot& slot);

  // Memory (worker_memory.cpp).
  [[nodiscard]] MemoryTerms memory_terms() const;
  void plan_memory();
  void adopt(MemoryLayout layout, std::uint64_t cap_bytes);
  void log_plan();
  void change_to(MemoryLayout layout, std::uint64_t cap_bytes);
  [[nodiscard]] DeviceUse use_for_plan() const;
  bool follow_memory();
  void look_at_memory();
  void watch_memory();
  void learn(const BlockIsDone& done);
  void plan_again();
  [[nodiscard]] MemoryState memory_now(const ExecutorBeat& beat);
  void cut_into_strips(ItemInHand& item) const;

  Transport& transport_;
  WorkerParts parts_;
  std::optional<ExitCode> leave_;
  bool stop_told_ = false;
  Welcome welcome_;
  RunConfig config_;
  ModelFacts facts_;
  std::string device_class_;
  std::uint64_t cap_bytes_ = 0;             ///< in force
  std::unique_ptr<DeviceRequest> request_;  ///< once the executor is open
  MemoryLayout layout_;
  DeviceUse use_;                           ///< what the executor was told
  std::uint64_t arena_over_ = 0;            ///< of slots that lie beyond a smaller arena
  std::unique_ptr<DeviceMonitor> monitor_;  ///< may be none
  std::optional<SetMemory> set_once_open_;  ///< came while the model was being opened
  std::optional<MemoryBudget> memory_;      ///< once there is a plan
  std::uint64_t peak_bytes_ = 0;
  std::int64_t changed_us_ = 0;  ///< when tiles were told to be other ones
  double next_look_s_ = 0;
  Calibration calibration_;
  CalibrationFolders calibrations_;
  std::unique_ptr<RankLog> log_;
  std::optional<TalkRecorder> talk_;
  std::int64_t log_start_us_ = 0;
  std::optional<Arena> arena_;
  std::optional<ArenaSpace> space_;
  std::optional<BlockMaker> maker_;
  std::unique_ptr<ShardStore> shards_;
  Items items_;
  std::deque<ItemId> waiting_;  ///< with blocks that are not begun, in the order of their units
  std::unordered_map<std::uint64_t, Ticket> tickets_;
  std::uint64_t next_ticket_ = 1;
  std::optional<double> give_back_s_;  ///< when what has begun comes back, too
  double last_computed_s_ = 0;
  std::int64_t last_beat_us_ = 0;
  std::int64_t last_busy_us_ = 0;
};

/// Serves until the coordinator says Leave, and returns the code it gave. A failure of this machine (no engine, a full
/// disk, an input that is not mounted) is told to the coordinator; the worker then only waits for Leave.
[[nodiscard]] ExitCode run_worker(Transport& transport, const NodeShare& share);

}  // namespace pantile
