#pragma once
// Rank 0: turns the workers' messages into events for the scheduler, and carries its commands out. The journal is
// written here and nowhere else.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.hpp"
#include "base/error.hpp"
#include "cluster/messages.hpp"
#include "cluster/transport.hpp"
#include "plan/scheduler.hpp"
#include "report/live.hpp"
#include "report/rank_log.hpp"
#include "run/job.hpp"
#include "run/live_view.hpp"
#include "run/memory_desk.hpp"
#include "run/space_keeper.hpp"
#include "run/stop_desk.hpp"

namespace pantile {

/// Called about ten times a second with what the run does now.
using LiveSink = std::function<void(const LiveState&)>;

struct Conclusion {
  ExitCode code = ExitCode::failed;
  LiveState live;     ///< as it was at the end
  std::string error;  ///< why it failed, in words; empty if it did not
};

/// What a coordinator has of its machine. The simulation gives it another one.
struct CoordinatorParts {
  std::function<double()> now_s;  ///< of a clock that never goes back
  Disk& disk;                     ///< that the job's folder is on
  std::function<std::unique_ptr<RankLog>()> open_log;
  std::function<Wishes(LiveState&)> wishes;  ///< does anybody ask for anything?
  LiveSink show;
  std::function<void(const LiveView&)> write_live;
  std::function<void(Job&, bool is_complete)> write_last_files;  ///< as the one of run/last_files.hpp
};

/// A coordinator without a loop: whoever has it calls step() until the run has ended, then conclude(). One thread.
class Coordinator {
 public:
  /// Leads `job` with all other ends of `transport` as workers. Both outlive it.
  Coordinator(Job& job, Transport& transport, CoordinatorParts parts, std::optional<WallTime> ends_at);
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  /// Looks at everything once. True if something happened. Throws Error if the journal cannot be written.
  bool step();
  /// Nothing is left to do, or to wait for.
  [[nodiscard]] bool has_ended() const noexcept { return outcome_.has_value(); }
  /// Tells all workers to leave, and leaves the folder in order. Precondition: has_ended(). Throws Error if the journal
  /// cannot be written.
  [[nodiscard]] Conclusion conclude();

 private:
  [[nodiscard]] double now_s() const { return parts_.now_s() - start_s_; }
  template <class Message>
  void say(RankId to, Message message) {
    if (!ranks_[to].gone) {
      transport_.send(to, encode_message(ToWorker{std::move(message)}));
    }
  }

  // The workers' messages.
  void on(RankId from, Hello& hello);
  void on(RankId from, Ready& ready);
  void on(RankId from, ItemIsComputed& computed) { handle(ItemComputed{from, computed.item, computed.seconds}); }
  void on(RankId from, ItemHasFailed& failed) {
    handle(ItemFailed{from, failed.item, failed.fault, std::move(failed.detail)});
  }
  void on(RankId from, ItemComesBack& back) { handle(ItemReturned{from, back.item}); }
  void on(RankId from, SealRequest& request) { handle(SealAsked{from, request.shard, std::move(request.rows)}); }
  void on(RankId from, ShardIsSealed& sealed);
  void on(RankId /*from*/, ProbedBatch& /*late*/) {}  // Others were faster, and the catalog stands.
  void on(RankId from, Beat& beat);
  void on(RankId from, ShardIsLost& lost);
  void on(RankId from, StopRequest& request);
  void on(RankId from, MemoryIsSet& set);
  void on(RankId from, FootprintHasChanged& changed);
  void on(RankId from, WorkerGivesUp& given_up);
  void heed(Wishes wishes);
  void heed(const std::optional<SpaceKeeper::Change>& change);
  void give_up_on_disk(const std::string& found);
  void drain(const std::string& why, double patience_s = drain_patience_s);

  // The scheduler's commands (coordinator_commands.cpp).
  void handle(const Event& event);
  void carry_out(Assign& assign);
  void carry_out(Recall& recall);
  void carry_out(AskSeal& ask);
  void carry_out(SealVerdict& verdict);
  void carry_out(CommitShard& commit);
  void carry_out(RefuseShard& refuse);
  void carry_out(TimeIsUp& told);
  /// All leave together, at the end, when the exit code is known.
  void carry_out(Dismiss& /*dismiss*/) {}
  void carry_out(Finished& finished) { outcome_ = finished.outcome; }
  void carry_out(RecordFailure& record);
  void carry_out(Quarantine& quarantine);
  void commit_shards();
  [[nodiscard]] std::chrono::milliseconds seal_after() const;

  // The end.
  void tell_the_world();
  [[nodiscard]] ExitCode exit_code() const;

  Job& job_;
  Transport& transport_;
  CoordinatorParts parts_;
  std::unique_ptr<RankLog> log_;
  TalkRecorder talk_;
  LiveView view_;
  std::optional<double> patience_s_;  ///< since a request to stop
  Welcome welcome_;                   ///< the same for all: costly to make again for each rank
  MemoryDesk memory_;
  SpaceKeeper space_;    ///< before the scheduler: it looks at the work
  Scheduler scheduler_;  ///< has the work, which is taken out of the job: twice would be too much for large ones
  double start_s_;
  double next_show_s_ = 0;
  double next_tick_s_ = 0;
  double next_word_s_ = 0;
  std::optional<Outcome> outcome_;
  std::string error_;
  static constexpr int most_unseen = 3;
  [[nodiscard]] bool results_get_lost() const noexcept { return unseen_ >= most_unseen; }
  int unseen_ = 0;  ///< shards in a row that were not on disk as they were written
  ExitCode error_code_ = ExitCode::failed;
  RankBook ranks_;
  std::map<std::pair<RankId, ShardId>, ShardCommit> sealed_;  ///< on disk, not yet in the journal
  std::vector<std::pair<RankId, ShardId>> to_commit_;
};

/// Leads the job with all other ends of `transport` as workers, to its end: all done, stopped on request, or failed.
/// Whatever ends it, committed work is in the journal, and index.h5 and quarantine.csv tell of it. Every worker that is
/// still there has been told to leave. Throws Error only if the journal cannot be written.
/// `ends_at`: by then all must be committed and left; what does not fit before is left for the next run.
[[nodiscard]] Conclusion coordinate(Job& job, Transport& transport, const LiveSink& show,
                                    std::optional<WallTime> ends_at);

/// The same end for a job that could not be prepared: tells all workers to leave.
void dismiss_workers(Transport& transport, ExitCode code);

}  // namespace pantile
