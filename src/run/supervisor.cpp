#include "run/supervisor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "plan/restarts.hpp"
#include "report/continued.hpp"
#include "report/progress.hpp"
#include "run/deadline.hpp"
#include "run/launcher.hpp"
#include "run/loss.hpp"
#include "run/signals.hpp"
#include "run/slurm_job.hpp"
#include "store/journal_state.hpp"
#include "store/run_folder.hpp"

namespace pantile {
namespace {

using Clock = std::chrono::steady_clock;

/// Rank 0 writes live.json each second, but not while it writes the index of a large run.
constexpr std::chrono::minutes longest_silence{10};
/// From the run's last word until mpirun has left: rank 0 waits 30 s for ranks that do not answer.
constexpr std::chrono::seconds longest_leave{60};
/// mpirun that has lost a machine without a reset of its connections may wait for it for ever.
constexpr std::chrono::seconds longest_farewell{10};
/// For mpirun to start a process on a machine. One that has just died may not be known as such: no answer comes then.
constexpr std::chrono::seconds host_patience{10};
/// A start with less time than this ahead of it would commit nothing.
constexpr std::chrono::seconds least_time{10};

Settled settled(const RunLayout& layout) {
  Settled settled;
  try {
    settled.run_id = read_identity(layout).run_id;
    replay_journal(layout.journal(), [&](Epoch, const JournalRecord& record) {
      settled.records += std::holds_alternative<ShardCommit>(record) || std::holds_alternative<ShardAdopted>(record) ||
                                 std::holds_alternative<ItemQuarantined>(record)
                             ? 1
                             : 0;
    });
  } catch (const Error& error) {
    log::debug("{}", error.what());  // there is no run yet; what else is wrong the ranks will say
  }
  return settled;
}

/// Which process wrote it: tells the words of one start from those of another without a clock.
auto writer_of(const std::optional<LiveState>& live) {
  return live ? std::tuple{live->host, live->pid, live->epoch} : std::tuple{std::string{}, std::int64_t{0}, 0U};
}

class Supervisor {
 public:
  explicit Supervisor(const Supervision& supervision)
      : supervision_{supervision},
        layout_{supervision.run_folder},
        hosts_{allocated_hosts()},
        restarts_{settled(layout_)} {}

  ExitCode run() {
    for (;;) {
      const End end = start_once();
      std::optional<ExitCode> code = verdict(end);
      if (!code) {
        code = prepare_restart(end);
      }
      if (code) {
        finish(*code);
        return *code;
      }
    }
  }

 private:
  struct End {
    int code = 0;
    std::string talk;          ///< mpirun's
    bool ranks_spoke = false;  ///< on stderr or in live.json
  };

  // ---- one start --------------------------------------------------------------------------------

  End start_once() {
    const auto line = mpirun_line(supervision_, has_begun_ ? supervision_.resume_command : supervision_.rank_command,
                                  restarts_.count() > 0 ? hosts_ : std::vector<Host>{});
    if (!supervision_.quiet) {
      log::info("starting {}", fmt::join(line, " "));
    }
    before_ = writer_of(read_live(layout_.live()));
    live_.reset();
    changed_ = Clock::now();
    told_ = 0;
    parted_.reset();
    Launcher launcher{line};
    if (!supervision_.quiet && !display_) {
      display_.emplace(ProgressTexts{supervision_.job, supervision_.shown_folder});
    }
    while (launcher.runs()) {
      look_at_live();
      pass_stop_on(launcher);
      if (!parted_ && read_loss(launcher.talk()).whole_host) {
        parted_ = Clock::now();
      }
      if ((parted_ && Clock::now() - *parted_ > longest_farewell) || is_over(launcher)) {
        launcher.end();
      } else if (live_ && Clock::now() - changed_ > patience_with(live_->state)) {
        log::error("nothing was heard of the ranks for {} s: ending them",
                   std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - changed_).count());
        changed_ = Clock::now();
        launcher.end();
      }
    }
    look_at_live();
    return {launcher.code(), launcher.talk(), launcher.ranks_spoke() || live_.has_value()};
  }

  /// mpirun waits for nobody. Of ranks elsewhere that it does not hold by a process here, live.json tells.
  [[nodiscard]] bool is_over(const Launcher& launcher) const {
    return launcher.is_left_alone() && (live_ ? Clock::now() - changed_ > longest_farewell : hosts_.empty());
  }

  static std::chrono::seconds patience_with(RunState state) {
    return is_active(state) ? std::chrono::seconds{longest_silence} : longest_leave;
  }

  /// What the ranks of this start say of themselves.
  void look_at_live() {
    std::error_code ignored;
    const auto beat = std::filesystem::last_write_time(layout_.live(), ignored);
    if (std::exchange(beat_, beat) != beat) {
      changed_ = Clock::now();  // On a disk that takes no live.json this is the only sign of life.
    }
    std::optional<LiveState> live = read_live(layout_.live());
    if (!live || writer_of(live) == before_) {
      return;
    }
    has_begun_ = true;
    if (!live_ || live_->updated != live->updated) {
      changed_ = Clock::now();
    }
    live_ = std::move(live);
    shown_ = continued_(*live_);
    if (display_) {
      display_->update(*shown_);
    }
  }

  /// Once: a request to stop, until the ranks have heard it. Twice: an end, now.
  void pass_stop_on(Launcher& launcher) {
    const int signals = stop_signals();
    if (signals > 1) {
      launcher.end();
    } else if (signals == 1 && (told_ == 0 || Clock::now() >= next_word_)) {
      const bool is_heard = live_ && !(is_active(live_->state) && live_->state != RunState::draining);
      if (!is_heard) {
        launcher.ask_to_drain();
        next_word_ = Clock::now() + std::chrono::milliseconds{500};
      }
      told_ = signals;
    }
  }

  // ---- what its end means -----------------------------------------------------------------------

  /// Nothing if ranks were lost. The ranks' word counts only as far as the journal bears it out.
  [[nodiscard]] std::optional<ExitCode> verdict(const End& end) {
    if (stop_signals() > 1) {
      return ExitCode::interrupted;
    }
    const auto is = [&](ExitCode one) { return end.code == static_cast<int>(one); };
    if (is(ExitCode::usage) && (!has_begun_ || restarts_.count() == 0)) {
      return ExitCode::usage;  // Later it is a folder that dying ranks still hold: they were started with good words.
    }
    if (live_ && live_->state != RunState::failed) {
      const JournalState state = read_journal(layout_.journal());
      if (state.end() && index(state.epoch()) == live_->epoch) {
        return state.quarantine().empty() ? ExitCode::done : ExitCode::quarantined;  // whatever became of the ranks
      }
    }
    if (is(ExitCode::failed) && end.ranks_spoke) {
      return ExitCode::failed;
    }
    if (is(ExitCode::stopped) || stop_signals() == 1) {
      return ExitCode::stopped;  // also where ranks were lost meanwhile: nobody wants them back
    }
    if (!end.ranks_spoke && !end.talk.empty() && restarts_.count() == 0 && hosts_.size() < 2 && end.code < 128) {
      log::error("mpirun could not start the ranks. It says:\n{}", end.talk);
      return ExitCode::failed;
    }
    return std::nullopt;
  }

  /// After a loss. Nothing if the ranks are to be started again now.
  [[nodiscard]] std::optional<ExitCode> prepare_restart(const End& end) {
    const Loss loss = read_loss(end.talk);
    std::string lost = end.code == 0 || end.code == static_cast<int>(ExitCode::quarantined)
                           ? "the ranks ended in order, but the journal does not say that all is done"
                           : to_string(loss, end.code);
    const JournalState state = read_journal(layout_.journal());
    note_committed(state);
    const auto pause = restarts_.after_loss(settled(layout_));
    if (!pause) {
      log::error(
          "{}, and {} restarts in a row have committed nothing: giving up. What is committed is safe ({} of {} items): "
          "the same command goes on from there.{}",
          lost, Restarts::most_in_vain, state.done_items(), state.items(),
          end.talk.empty() ? "" : " mpirun said last:\n" + end.talk);
      return given_up(loss.whole_host);
    }
    if (supervision_.ends_at && *supervision_.ends_at - std::chrono::system_clock::now() < least_time) {
      log::warn("{}; too little time is left to start again. {} of {} items are committed.", lost, state.done_items(),
                state.items());
      return ExitCode::stopped;
    }
    if (const std::optional<ExitCode> code = choose_hosts(lost)) {
      return code;
    }
    log::warn("{}. {} of {} items are committed; starting again with {} ranks{}", lost, state.done_items(),
              state.items(), ranks_on(supervision_, hosts_),
              hosts_.empty() ? "" : fmt::format(" on {}", host_list(hosts_)));
    return wait(*pause);
  }

  /// Leaves those that answer.
  [[nodiscard]] std::optional<ExitCode> choose_hosts(std::string& lost) {
    if (hosts_.size() < 2) {
      return std::nullopt;
    }
    std::vector<Host> left = answering(hosts_, host_patience);
    if (stop_signals() > 0) {
      return stop_signals() > 1 ? ExitCode::interrupted : ExitCode::stopped;  // nobody waits for a machine any more
    }
    if (left.empty()) {
      log::error("{}, and none of {} answers. What is committed is safe: the same command goes on from there.", lost,
                 host_list(hosts_));
      return given_up(true);
    }
    if (left.size() < hosts_.size()) {
      // mpirun may have named another: the first whose daemon it missed.
      std::erase_if(hosts_, [&](const Host& host) { return std::find(left.begin(), left.end(), host) != left.end(); });
      lost = fmt::format("{} does not answer any more", host_list(hosts_));
    }
    hosts_ = std::move(left);
    return std::nullopt;
  }

  /// With other machines the run may well go on: Slurm can give it those.
  [[nodiscard]] static ExitCode given_up(bool lost_machines) {
    if (lost_machines && is_in_requeuable_job()) {
      log::info("exit 75: this Slurm job can be queued again (scontrol requeue)");
      return ExitCode::stopped;
    }
    return ExitCode::failed;
  }

  [[nodiscard]] static std::optional<ExitCode> wait(std::chrono::milliseconds pause) {
    for (const auto end = Clock::now() + pause; Clock::now() < end;) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      if (stop_signals() > 0) {
        return stop_signals() > 1 ? ExitCode::interrupted : ExitCode::stopped;
      }
    }
    return std::nullopt;
  }

  // ---- the end ----------------------------------------------------------------------------------

  /// What the lost ranks had told last may be more than what is left of it.
  void note_committed(const JournalState& state) {
    if (shown_) {
      shown_->done = state.done_items();
      shown_->quarantined = state.quarantine().size();
      shown_->running = shown_->computed = 0;
    }
  }

  void finish(ExitCode code) {
    if (display_ && shown_) {
      display_->finish(*shown_, code);
    }
    display_.reset();
  }

 public:
  static int ranks_on(const Supervision& supervision, const std::vector<Host>& hosts) {
    int slots = 0;
    for (const Host& host : hosts) {
      slots += host.slots;
    }
    return hosts.empty() ? supervision.ranks : std::clamp(slots, 2, std::max(2, supervision.ranks));
  }

 private:
  const Supervision& supervision_;
  RunLayout layout_;
  std::vector<Host> hosts_;  ///< that answered last; empty: this one
  Restarts restarts_;
  std::tuple<std::string, std::int64_t, std::uint32_t> before_;  ///< who wrote live.json before this start
  bool has_begun_ = false;                                       ///< some start came so far that its epoch began
  std::optional<LiveState> live_;                                ///< of this start
  Clock::time_point changed_;                                    ///< when live_ or the time of live.json was new
  std::filesystem::file_time_type beat_;
  std::optional<LiveState> shown_;
  Continued continued_;
  std::optional<ProgressDisplay> display_;
  std::optional<Clock::time_point> parted_;  ///< when mpirun said that it has lost a machine
  int told_ = 0;                             ///< stop signals that were passed on
  Clock::time_point next_word_;
};

}  // namespace

std::vector<std::string> mpirun_line(const Supervision& supervision, const std::vector<std::string>& command,
                                     const std::vector<Host>& hosts) {
  const int ranks = Supervisor::ranks_on(supervision, hosts);
  std::vector<std::string> line{"mpirun", "-n", std::to_string(ranks)};
  int slots = 0;
  for (const Host& host : hosts) {
    slots += host.slots;
  }
  if (!hosts.empty()) {
    line.insert(line.end(), {"--host", host_list(hosts)});
  }
  // Within a Slurm allocation the slots are a fact; elsewhere mpirun's guess of them is no reason to refuse.
  if (std::getenv("SLURM_JOB_ID") == nullptr || (!hosts.empty() && slots < ranks)) {
    line.emplace_back("--oversubscribe");
  }
  line.insert(line.end(), {"--bind-to", "none", "-x", supervised_variable});
  if (supervision.ends_at) {
    line.insert(line.end(), {"-x", end_variable});
  }
  for (const std::string& variable : supervision.variables) {
    // Of one that is not set, mpirun would warn; the job has a default for it.
    if (std::getenv(variable.c_str()) != nullptr) {
      line.insert(line.end(), {"-x", variable});
    }
  }
  line.insert(line.end(), command.begin(), command.end());
  return line;
}

ExitCode supervise(const Supervision& supervision) {
  watch_stop_signals(false);
  ::setenv(supervised_variable, supervisor_name().c_str(), 1);
  if (supervision.ends_at) {
    pass_on_end(*supervision.ends_at);
  }
  // mpirun starts its daemons by srun. The step of a start that lost a machine holds its slots until Slurm has given
  // the machine up; without this the next start, and every look at a machine, would wait for that.
  ::setenv("SLURM_OVERLAP", "1", 0);
  if (::geteuid() == 0) {
    // Containers run as root; Open MPI wants to be told twice that this is meant.
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  return Supervisor{supervision}.run();
}

}  // namespace pantile
