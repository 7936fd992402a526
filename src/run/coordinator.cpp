#include "run/coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <system_error>
#include <thread>

#include "base/log.hpp"
#include "cluster/backoff.hpp"
#include "cluster/messages.hpp"
#include "plan/scheduler.hpp"
#include "report/rank_log.hpp"
#include "run/deadline.hpp"
#include "run/job_messages.hpp"
#include "run/last_files.hpp"
#include "run/live_view.hpp"
#include "run/scheduler_setup.hpp"
#include "run/space_keeper.hpp"
#include "run/stop_desk.hpp"

namespace pantile {
namespace {

using Clock = std::chrono::steady_clock;

/// The settings look at the work, which is then taken out of the job.
Scheduler make_scheduler(Job& job, int workers) {
  const SchedulerSettings settings = scheduler_settings(job, workers);
  return Scheduler{std::move(job.work), settings};
}

class Coordinator {
 public:
  Coordinator(Job& job, Transport& transport, const LiveSink& show, std::optional<WallTime> ends_at)
      : job_{job},
        transport_{transport},
        show_{show},
        ends_at_{ends_at},
        view_{job, transport.size()},
        stop_desk_{job.folder.layout(), index(job.journal.epoch())},
        extents_{job.extent_classes(planned_extents)},
        has_work_{!job.work.items().empty()},
        space_{job, transport.size() - 1},
        scheduler_{make_scheduler(job, transport.size() - 1)} {}

  Conclusion run() {
    if (!quarantine_left(job_)) {
      outcome_ = Outcome::too_many_quarantined;
    } else if (!has_work_) {
      outcome_ = Outcome::complete;
    }
    if (ends_at_ && !outcome_) {
      handle(Deadline{now_s() + seconds_until_deadline(*ends_at_, job_)});
    }
    Backoff backoff;
    Clock::time_point next_tick = Clock::now();
    Clock::time_point next_word = Clock::now();
    while (!outcome_) {
      const bool busy = step();
      if (Clock::now() >= next_tick) {
        next_tick = Clock::now() + std::chrono::milliseconds{250};
        handle(Tick{});
      }
      if (Clock::now() >= next_word) {
        next_word = Clock::now() + std::chrono::seconds{1};
        tell_the_world();
      }
      if (busy) {
        backoff.reset();
      } else {
        std::this_thread::sleep_for(backoff.next());
      }
    }
    return conclude();
  }

 private:
  [[nodiscard]] double now_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  template <class Message>
  void say(RankId to, Message message) {
    if (!ranks_[to].gone) {
      transport_.send(to, encode_message(ToWorker{std::move(message)}));
    }
  }

  bool step() {
    bool busy = false;
    while (std::optional<Envelope> envelope = transport_.poll()) {
      auto message = decode_message<ToCoordinator>(envelope->payload);
      std::visit([&](auto& said) { on(envelope->from, said); }, message);
      busy = true;
    }
    if (const std::optional<StopWish> wish = stop_desk_.look(view_.state())) {
      drain(wish->why, wish->patience_s);
    }
    commit_shards();
    heed(space_.look(scheduler_, now_s()));
    if (Clock::now() >= next_show_) {
      next_show_ = Clock::now() + std::chrono::milliseconds{100};
      view_.refresh(scheduler_, ranks_, now_s());
      show_(view_.state());
    }
    return busy;
  }

  // ---- the workers' messages --------------------------------------------------------------------

  void on(RankId from, Hello& hello) {
    if (hello.version != protocol_version) {
      throw Error{
          fmt::format("rank {} on {} speaks version {} of the protocol and the coordinator version {}. Start all "
                      "ranks with the same pantile.",
                      index(from), hello.host, hello.version, protocol_version)};
    }
    say(from, welcome(job_, extents_));
  }

  void on(RankId from, Ready& ready) {
    log::info("{}: {}", ready.device, ready.why);
    const int lanes = ready.lanes;
    ranks_[from].ready = std::move(ready);
    if (view_.state().state == RunState::starting) {
      view_.state().state = RunState::running;
    }
    handle(RankJoined{.rank = from, .lanes = lanes});
  }

  void on(RankId from, ItemIsComputed& computed) { handle(ItemComputed{from, computed.item, computed.seconds}); }
  void on(RankId from, ItemHasFailed& failed) {
    handle(ItemFailed{from, failed.item, failed.fault, std::move(failed.detail)});
  }
  void on(RankId from, ItemComesBack& back) { handle(ItemReturned{from, back.item}); }
  void on(RankId from, SealRequest& request) { handle(SealAsked{from, request.shard, std::move(request.rows)}); }

  void on(RankId from, ShardIsSealed& sealed) {
    std::error_code error;
    const auto size = std::filesystem::file_size(job_.folder.layout().shard(sealed.name), error);
    if (error || size != sealed.bytes) {
      log::error("{} is not on disk as rank {} wrote it ({}); its items are made again", sealed.name, index(from),
                 error ? error.message() : fmt::format("{} of {} bytes", size, sealed.bytes));
      handle(SealAborted{from, sealed.shard});
      return;
    }
    sealed_.insert_or_assign({from, sealed.shard}, ShardCommit{sealed.name, sealed.bytes, sealed.hash,
                                                               sealed.content_sum, std::move(sealed.ranges)});
    handle(SealReady{from, sealed.shard});
  }

  void on(RankId /*from*/, ProbedBatch& /*late*/) {}  // Others were faster, and the catalog stands.
  void on(RankId from, Beat& beat) {
    ranks_[from].beat = beat;
    if (beat.waits_for_disk) {
      handle(RankWaits{from});
    }
  }
  void on(RankId from, ShardIsLost& lost) {
    log::debug("rank {} has lost a shard: {}", index(from), lost.text);
    heed(space_.lost_a_shard(lost.number, scheduler_, now_s()));
    handle(SealAborted{from, lost.shard});
  }
  void on(RankId from, StopRequest& /*request*/) { drain(fmt::format("a signal asks rank {} to stop", index(from))); }

  void on(RankId from, WorkerGivesUp& given_up) {
    ranks_[from].gone = true;
    error_ = error_.empty() ? given_up.text : error_;
    error_code_ = static_cast<ExitCode>(given_up.code);
    const bool alone = std::all_of(ranks_.begin(), ranks_.end(), [](const auto& rank) { return rank.second.gone; });
    if (!alone) {
      log::error("rank {} gives up: {}", index(from), given_up.text);
    }
    if (ranks_[from].ready) {
      handle(RankLost{from});
    } else {
      handle(RankUnable{from});
    }
  }

  /// Units are held back, go on, or have been held back for too long.
  void heed(const std::optional<SpaceKeeper::Change>& change) {
    if (!change) {
      return;
    }
    const bool has_room = change->space == Space::enough;
    RunState& state = view_.state().state;
    if (!change->gives_up && !change->line.empty() && state != RunState::draining) {
      log::write(has_room ? log::Level::info : log::Level::warn, change->line);
    }
    if (has_room) {
      for (const auto& [rank, facts] : ranks_) {
        say(rank, SpaceIsBack{});
      }
      state = state == RunState::waiting_for_space ? RunState::running : state;
    } else if (state != RunState::draining) {
      state = RunState::waiting_for_space;
    }
    handle(SpaceIs{change->space});
    if (change->gives_up) {
      error_ = error_.empty() ? change->line : error_;
      drain("the run has waited for space long enough");
    }
  }

  void drain(const std::string& why, double patience_s = drain_patience_s) {
    if (patience_s_ && *patience_s_ <= patience_s) {
      return;
    }
    patience_s_ = patience_s;
    view_.state().state = RunState::draining;
    log::info("{}: {}", why, patience_s > 0 ? "finishing what is in flight" : "sealing what is computed");
    handle(Drain{patience_s});
    tell_the_world();
  }

  // ---- the scheduler's commands -----------------------------------------------------------------

  void handle(const Event& event) {
    for (Command& command : scheduler_.on(event, now_s())) {
      std::visit([this](auto& told) { carry_out(told); }, command);
    }
  }

  void carry_out(Assign& assign) {
    for (const UnitItem& item : assign.unit.items) {
      space_.handed_out(item.item);
    }
    AssignUnit unit = assignment(job_, std::move(assign.unit));
    unit.seal_after_ms = seal_after().count();
    say(assign.rank, std::move(unit));
  }

  void carry_out(Recall& recall) { say(recall.rank, GiveBack{std::llround(1000 * recall.patience_s)}); }
  void carry_out(AskSeal& ask) { say(ask.rank, SealPlease{}); }
  void carry_out(SealVerdict& verdict) {
    say(verdict.rank,
        SealAnswer{verdict.shard, std::vector<std::uint8_t>(verdict.wanted.begin(), verdict.wanted.end())});
  }
  void carry_out(CommitShard& commit) { to_commit_.emplace_back(commit.rank, commit.shard); }
  void carry_out(RefuseShard& refuse) {
    log::warn("rank {} was given up on before its shard was sealed: what the shard has is made again",
              index(refuse.rank));
    sealed_.erase({refuse.rank, refuse.shard});
    say(refuse.rank, DeleteShard{refuse.shard});
  }
  void carry_out(TimeIsUp& told) {
    view_.state().state = RunState::draining;
    tell_time_is_up(told, job_.catalog);
  }
  /// All leave together, at the end, when the exit code is known.
  void carry_out(Dismiss& /*dismiss*/) {}
  void carry_out(Finished& finished) { outcome_ = finished.outcome; }

  void carry_out(RecordFailure& record) {
    log::warn("{}: attempt {} failed: {}; it will be tried again", job_.catalog.path(record.item), record.attempt,
              record.detail);
    job_.journal.append(AttemptFailed{record.item, record.attempt, {record.fault, record.detail}}, job_.state);
  }

  void carry_out(Quarantine& quarantine) {
    log::warn("{} is in quarantine: {}", job_.catalog.path(quarantine.item), quarantine.detail);
    job_.journal.append(ItemQuarantined{quarantine.item, quarantine.attempts, {quarantine.fault, quarantine.detail}},
                        job_.state);
  }

  /// The commit point: one fdatasync for all shards that are ready, and only then the scheduler hears of it.
  void commit_shards() {
    if (to_commit_.empty() && !job_.journal.pending()) {
      return;
    }
    for (const auto& shard : to_commit_) {
      job_.journal.append(sealed_.at(shard), job_.state);
    }
    job_.journal.commit();
    if (!to_commit_.empty()) {
      space_.committed();
    }
    for (const auto& [rank, shard] : std::exchange(to_commit_, {})) {
      sealed_.erase({rank, shard});
      handle(SealCommitted{rank, shard});
    }
  }

  /// The configured age, else a 200th of the predicted run, within one minute and a quarter of an hour.
  [[nodiscard]] std::chrono::milliseconds seal_after() const {
    if (job_.config.output.seal_after) {
      return *job_.config.output.seal_after;
    }
    const double predicted_s = view_.state().eta_s.value_or(0) + now_s();
    return std::chrono::milliseconds{static_cast<std::int64_t>(1000 * std::clamp(predicted_s / 200, 60.0, 900.0))};
  }

  // ---- the end ----------------------------------------------------------------------------------

  void tell_the_world() {
    view_.refresh(scheduler_, ranks_, now_s());
    view_.write();
  }

  Conclusion conclude() {
    commit_shards();
    const ExitCode code = exit_code();
    dismiss_workers(transport_, code);  // Those that gave up wait for it too.
    Conclusion conclusion{.code = code, .live = {}, .error = {}};
    if (code == ExitCode::failed || code == ExitCode::usage) {
      conclusion.error = *outcome_ == Outcome::too_many_quarantined ? too_many_quarantined(job_)
                         : error_.empty()                           ? "all workers are gone and items are left"
                                                                    : error_;
    }
    try {
      space_.give_back();
      write_last_files(job_, *outcome_ == Outcome::complete);
    } catch (const Error& error) {
      if (code == ExitCode::stopped && is_out_of_space(error)) {
        log::warn("{}. The next run writes it.", error.what());
      } else {
        // On a full disk the first error is the one to tell. What is committed stays committed.
        conclusion.error = conclusion.error.empty() ? error.what() : conclusion.error;
        conclusion.code = code == ExitCode::usage ? code : ExitCode::failed;
      }
    }
    job_.journal.give_back_room();
    view_.state().state = conclusion.code == ExitCode::stopped ? RunState::stopped
                          : conclusion.error.empty()           ? RunState::done
                                                               : RunState::failed;
    tell_the_world();
    view_.state().eta_s = 0;
    conclusion.live = view_.state();
    return conclusion;
  }

  [[nodiscard]] ExitCode exit_code() const {
    switch (*outcome_) {
      case Outcome::complete: return job_.state.quarantine().empty() ? ExitCode::done : ExitCode::quarantined;
      case Outcome::drained: return space_.has_given_up() ? ExitCode::failed : ExitCode::stopped;
      case Outcome::out_of_ranks: return error_code_;
      case Outcome::too_many_quarantined: return ExitCode::failed;
    }
    return ExitCode::failed;
  }

  Job& job_;
  Transport& transport_;
  RankLog log_{job_.folder.layout().logs(), RankId{0}, job_.journal.epoch()};
  TalkRecorder talk_{log_};
  const LiveSink& show_;
  std::optional<WallTime> ends_at_;
  LiveView view_;
  StopDesk stop_desk_;
  std::optional<double> patience_s_;  ///< since a request to stop
  std::vector<ExtentClass> extents_;  ///< of all items to do: too many to be counted again for each rank
  bool has_work_;
  SpaceKeeper space_;    ///< before the scheduler: it looks at the work
  Scheduler scheduler_;  ///< has the work, which is taken out of the job: twice would be too much for large ones
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_show_ = Clock::now();
  std::optional<Outcome> outcome_;
  std::string error_;
  ExitCode error_code_ = ExitCode::failed;
  RankBook ranks_;
  std::map<std::pair<RankId, ShardId>, ShardCommit> sealed_;  ///< on disk, not yet in the journal
  std::vector<std::pair<RankId, ShardId>> to_commit_;
};

}  // namespace

Conclusion coordinate(Job& job, Transport& transport, const LiveSink& show, std::optional<WallTime> ends_at) {
  try {
    return Coordinator{job, transport, show, ends_at}.run();
  } catch (...) {
    dismiss_workers(transport, ExitCode::failed);
    throw;
  }
}

void dismiss_workers(Transport& transport, ExitCode code) {
  for (int rank = 1; rank < transport.size(); ++rank) {
    transport.send(RankId{rank}, encode_message(ToWorker{Leave{static_cast<std::int32_t>(code)}}));
  }
  flush(transport, std::chrono::seconds{10});
}

}  // namespace pantile
