#pragma once
// A worker's side of its executor: gives it blocks, hears what became of them, and outlives its death. What a death
// means is plan/in_flight's to decide; a worker only sees that some of its blocks take longer, or have failed.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "pipeline/executor_protocol.hpp"
#include "plan/in_flight.hpp"
#include "run/executor_host.hpp"

namespace pantile {

/// Owned and called by the worker's thread. Time is an argument, seconds of a clock that never goes back.
class BlockMaker {
 public:
  /// What the worker hears. A failure without a fault: the block was cancelled.
  using News = std::variant<Opened, OpenFailed, BlockIsDone, BlockHasFailed, DecodeSpan, ExecutorBeat>;
  /// Where death certificates go.
  using Certify = std::function<void(const ExecutorDeath&, const std::vector<InFlight::Begun>& begun)>;

  /// `open` is sent to each executor in turn; only the first one's Opened is news.
  /// `patience_s`: without progress for so long, an executor hangs.
  BlockMaker(std::unique_ptr<ExecutorHost> host, Open open, double patience_s, Certify certify, double now_s);

  /// An executor whose predecessor died of its own doing makes some tiles of nothing, on all lanes at once, before it
  /// is given a block: a device that dies at real work is not to blame images for it.
  void start_lanes(std::int32_t lanes, const DeviceUse& use, std::uint64_t cap_bytes, double now_s);
  /// The plan has changed, and the cap it is for: for this executor and those after it.
  void change_use(const DeviceUse& use, std::uint64_t cap_bytes);
  /// What has been learnt of the model: executors to come need not probe for it.
  void learnt(const Calibration& calibration) { open_.known = {calibration}; }
  /// Its process; nothing if it is a thread of this one.
  [[nodiscard]] std::optional<int> executor_process() const { return host_->process(); }
  /// Tickets grow. `alone`: the item has failed before.
  void make(RunBlock run, bool alone, double now_s);
  /// What is not begun of this item is not made; each of its blocks is still answered.
  void cancel(ItemId item);
  /// Everything was cancelled, and nothing more will be made: what the executor has begun is waited for a moment only,
  /// and a new one is not needed.
  void leave_off(double now_s) { left_off_s_ = now_s; }
  /// The worker is done with the item.
  void settled(ItemId item) { in_flight_.settled(item); }

  /// Looks after the executor, and returns the next news if there is one. Throws Error if this device is not worth
  /// another executor.
  [[nodiscard]] std::optional<News> poll(double now_s);

 private:
  enum class Phase : std::uint8_t { opening, open, pausing };

  void give(double now_s);
  void restart(double now_s);
  void start_lanes(double now_s);
  void check_tiles();
  [[nodiscard]] std::optional<News> sift(FromExecutor message, double now_s);
  /// An executor that no image has taken over says nothing else.
  [[nodiscard]] bool makes_sense(const FromExecutor& message) const;
  void bury(ExecutorDeath death, double now_s);
  void fail(InFlight::Ticket ticket, Failure failure);
  void look_for_hang(double now_s);
  void wait_no_longer(double now_s);

  std::unique_ptr<ExecutorHost> host_;
  Open open_;
  double patience_s_;
  Certify certify_;
  Phase phase_ = Phase::opening;
  double phase_since_s_;
  double pause_s_ = 0;
  double opening_took_s_ = 0;  ///< the first time
  double next_look_s_ = 0;
  int heard_ = 0;           ///< messages since the last time that there was none
  std::int32_t lanes_ = 0;  ///< 0: not planned yet
  DeviceUse use_;
  std::uint64_t standing_bytes_ = 0;  ///< of the largest executor so far: what it took of its cap for good
  std::string failure_;               ///< why the executor that is ended could not go on, by its own words
  std::optional<double> left_off_s_;
  InFlight in_flight_;
  std::map<InFlight::Ticket, RunBlock> orders_;
  std::set<InFlight::Ticket> cancelled_;  ///< that the executor has not answered
  std::deque<News> news_;
};

}  // namespace pantile
