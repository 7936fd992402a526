#include "run/coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "base/steady.hpp"
#include "cluster/backoff.hpp"
#include "run/deadline.hpp"
#include "run/job_messages.hpp"
#include "run/last_files.hpp"
#include "run/scheduler_setup.hpp"

namespace pantile {
namespace {

/// The settings look at the work, which is then taken out of the job.
Scheduler make_scheduler(Job& job, int workers) {
  const SchedulerSettings settings = scheduler_settings(job, workers);
  return Scheduler{std::move(job.work), settings};
}

CoordinatorParts real_parts(const Job& job, const LiveSink& show) {
  const RunLayout& layout = job.folder.layout();
  const auto desk = std::make_shared<StopDesk>(layout, index(job.journal.epoch()));
  return {.now_s = &steady_s,
          .disk = real_disk(),
          .open_log =
              [&job] { return std::make_unique<RankLog>(job.folder.layout().logs(), RankId{0}, job.journal.epoch()); },
          .wishes = [desk](LiveState& live) { return desk->look(live); },
          .show = show,
          .write_live =
              [&job](const LiveView& view) {
                if (job.journal.is_ours()) {
                  view.write();
                }
              },
          .write_last_files = &write_last_files};
}

}  // namespace

Coordinator::Coordinator(Job& job, Transport& transport, CoordinatorParts parts, std::optional<WallTime> ends_at)
    : job_{job},
      transport_{transport},
      parts_{std::move(parts)},
      log_{parts_.open_log()},
      talk_{*log_},
      view_{job, transport.size()},
      welcome_{welcome(job, job.extent_classes(planned_extents))},
      memory_{job.config,
              {.ranks =
                   [this] {
                     std::vector<RankId> all;
                     for (const auto& [rank, facts] : ranks_) {
                       if (!facts.gone) {
                         all.push_back(rank);
                       }
                     }
                     return all;
                   },
               .say =
                   [this](RankId to, SetMemory set) {
                     ranks_[to].config = set.config;
                     say(to, std::move(set));
                   },
               .answer =
                   [this](LiveRequest answer) {
                     add_answer(view_.state(), std::move(answer));
                     next_word_s_ = 0;
                   }}},
      space_{job, transport.size() - 1, parts_.disk},
      scheduler_{make_scheduler(job, transport.size() - 1)},
      start_s_{parts_.now_s()} {
  if (!quarantine_left(job_)) {
    outcome_ = Outcome::too_many_quarantined;
  } else if (scheduler_.progress(0).count(ItemState::waiting) == 0) {
    outcome_ = Outcome::complete;
  }
  if (ends_at && !outcome_) {
    handle(Deadline{now_s() + seconds_until_deadline(*ends_at, job_)});
  }
}

bool Coordinator::step() {
  bool busy = false;
  while (std::optional<Envelope> envelope = transport_.poll()) {
    auto message = decode_message<ToCoordinator>(envelope->payload);
    std::visit([&](auto& said) { on(envelope->from, said); }, message);
    busy = true;
  }
  heed(parts_.wishes(view_.state()));
  commit_shards();
  heed(space_.look(scheduler_, now_s()));
  if (now_s() >= next_show_s_) {
    next_show_s_ = now_s() + 0.1;
    view_.refresh(scheduler_, ranks_, now_s());
    parts_.show(view_.state());
  }
  if (now_s() >= next_tick_s_) {
    next_tick_s_ = now_s() + 0.25;
    handle(Tick{});
  }
  if (now_s() >= next_word_s_) {
    next_word_s_ = now_s() + 1;
    job_.journal.expect_ours();
    tell_the_world();
  }
  return busy;
}

// ---- the workers' messages ------------------------------------------------------------------------------------------

void Coordinator::on(RankId from, Hello& hello) {
  if (hello.version != protocol_version) {
    throw Error{
        fmt::format("rank {} on {} speaks version {} of the protocol and the coordinator version {}. Start all "
                    "ranks with the same pantile.",
                    index(from), hello.host, hello.version, protocol_version)};
  }
  welcome_.config = memory_.config_text();
  ranks_[from].config = welcome_.config;
  say(from, welcome_);
}

void Coordinator::on(RankId from, Ready& ready) {
  log::info("{}: {}", ready.device, ready.why);
  const int lanes = ready.lanes;
  ranks_[from].beat.memory = ready.memory;
  if (ranks_[from].config != memory_.config_text()) {
    say(from, SetMemory{0, memory_.config_text()});  // It was set while this rank began.
  }
  ranks_[from].ready = std::move(ready);
  if (view_.state().state == RunState::starting) {
    view_.state().state = RunState::running;
  }
  handle(RankJoined{.rank = from, .lanes = lanes});
}

void Coordinator::on(RankId from, ShardIsSealed& sealed) {
  std::string found;
  try {
    const std::uint64_t size = parts_.disk.open(job_.folder.layout().shard(sealed.name), Access::read)->size();
    found = size == sealed.bytes ? "" : fmt::format("{} of {} bytes", size, sealed.bytes);
  } catch (const SystemError& error) {
    found = error.what();
  }
  if (!found.empty()) {
    log::error("{} is not on disk as rank {} wrote it ({}); its items are made again", sealed.name, index(from), found);
    handle(SealAborted{from, sealed.shard});
    give_up_on_disk(found);
    return;
  }
  unseen_ = results_get_lost() ? unseen_ : 0;
  sealed_.insert_or_assign({from, sealed.shard}, ShardCommit{sealed.name, sealed.bytes, sealed.hash, sealed.content_sum,
                                                             std::move(sealed.ranges)});
  handle(SealReady{from, sealed.shard});
}

void Coordinator::on(RankId from, Beat& beat) {
  ranks_[from].beat = beat;
  if (beat.waits_for_disk) {
    handle(RankWaits{from});
  }
}
void Coordinator::on(RankId from, ShardIsLost& lost) {
  log::debug("rank {} has lost a shard: {}", index(from), lost.text);
  heed(space_.lost_a_shard(lost.number, scheduler_, now_s()));
  handle(SealAborted{from, lost.shard});
}

void Coordinator::on(RankId from, StopRequest& /*request*/) {
  drain(fmt::format("a signal asks rank {} to stop", index(from)));
}

/// A rank has other lanes, perhaps, and says why.
void Coordinator::on(RankId from, MemoryIsSet& set) {
  memory_.heard(from, set, now_s());
  RankFacts& rank = ranks_[from];
  if (set.granted && rank.ready && rank.ready->lanes != set.lanes) {
    rank.ready->lanes = set.lanes;
    handle(RankJoined{.rank = from, .lanes = set.lanes});
  }
  if (set.number == 0 || !set.granted) {
    log::write(set.granted ? log::Level::info : log::Level::warn, set.text);
  }
}

void Coordinator::on(RankId from, FootprintHasChanged& changed) {
  for (const auto& [rank, facts] : ranks_) {
    if (rank != from) {
      say(rank, changed);
    }
  }
}

void Coordinator::on(RankId from, WorkerGivesUp& given_up) {
  ranks_[from].gone = true;
  memory_.lost(from, now_s());
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

void Coordinator::heed(Wishes wishes) {
  if (wishes.stop) {
    drain(wishes.stop->why, wishes.stop->patience_s);
  }
  for (ControlRequest& request : wishes.sets) {
    memory_.ask(std::move(request), now_s());
  }
  memory_.look(now_s());
}

/// Units are held back, go on, or have been held back for too long.
void Coordinator::heed(const std::optional<SpaceKeeper::Change>& change) {
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

/// To make items again mends a shard that was damaged, not a disk.
void Coordinator::give_up_on_disk(const std::string& found) {
  if (results_get_lost() || ++unseen_ < most_unseen) {
    return;
  }
  error_ = fmt::format(
      "{} shards in a row were not on disk as they were written, the last one: {}. Do all ranks see the same {}? It "
      "must be on a file system that they share.",
      most_unseen, found, job_.config.output.dir.resolved.string());
  drain("the results do not come together");
}

void Coordinator::drain(const std::string& why, double patience_s) {
  if (patience_s_ && *patience_s_ <= patience_s) {
    return;
  }
  patience_s_ = patience_s;
  view_.state().state = RunState::draining;
  log::info("{}: {}", why, patience_s > 0 ? "finishing what is in flight" : "sealing what is computed");
  handle(Drain{patience_s});
  tell_the_world();
}

// ---- the end --------------------------------------------------------------------------------------------------------

void Coordinator::tell_the_world() {
  view_.refresh(scheduler_, ranks_, now_s());
  parts_.write_live(view_);
}

Conclusion Coordinator::conclude() {
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
    job_.journal.expect_ours();
    space_.give_back();
    parts_.write_last_files(job_, *outcome_ == Outcome::complete);
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

ExitCode Coordinator::exit_code() const {
  switch (*outcome_) {
    case Outcome::complete: return job_.state.quarantine().empty() ? ExitCode::done : ExitCode::quarantined;
    case Outcome::drained: return space_.has_given_up() || results_get_lost() ? ExitCode::failed : ExitCode::stopped;
    case Outcome::out_of_ranks: return error_code_;
    case Outcome::too_many_quarantined: return ExitCode::failed;
  }
  return ExitCode::failed;
}

Conclusion coordinate(Job& job, Transport& transport, const LiveSink& show, std::optional<WallTime> ends_at) {
  try {
    Coordinator coordinator{job, transport, real_parts(job, show), ends_at};
    Backoff backoff;
    while (!coordinator.has_ended()) {
      if (coordinator.step()) {
        backoff.reset();
      } else {
        std::this_thread::sleep_for(backoff.next());
      }
    }
    return coordinator.conclude();
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
