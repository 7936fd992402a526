#include "run/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/file.hpp"
#include "base/log.hpp"
#include "report/progress.hpp"
#include "run/launcher_noise.hpp"
#include "run/signals.hpp"
#include "store/journal_state.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace pantile {
namespace {

/// A child in a process group of its own, so that a Ctrl-C of the terminal reaches us alone; its stderr is a pipe to
/// us.
struct Child {
  pid_t pid = -1;
  File errors;
};

Child start(const std::vector<std::string>& line) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw system_error("cannot make a pipe for the ranks' messages");
  }
  File read_end{ends[0]};
  const File write_end{ends[1]};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  // mpirun reads its standard input and would take the terminal's keys.
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> arguments;
  arguments.reserve(line.size() + 1);
  for (const std::string& word : line) {
    arguments.push_back(
        const_cast<char*>(word.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): exec's old signature
  }
  arguments.push_back(nullptr);
  Child child{-1, std::move(read_end)};
  const int failed = ::posix_spawnp(&child.pid, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    throw Error{fmt::format("cannot start {}: {} (it starts the ranks). Install Open MPI, or use --ranks 1.", line[0],
                            std::strerror(failed))};
  }
  ::fcntl(child.errors.get(), F_SETFL, O_NONBLOCK);
  return child;
}

/// What the ranks say, line by line, without what mpirun adds.
class Relay {
 public:
  explicit Relay(int fd) : fd_{fd} {}
  void pass_on() {
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
      if (count <= 0) {
        break;
      }
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      say(std::string_view{text_}.substr(0, end));
      text_.erase(0, end + 1);
    }
  }

  /// What mpirun said that was hidden, if the ranks said nothing: then it is all there is to know.
  [[nodiscard]] std::string only_word() const { return ranks_spoke_ ? std::string{} : hidden_; }

 private:
  void say(std::string_view line) {
    if (noise_.hides(line)) {
      constexpr std::size_t enough = 4000;
      hidden_ += hidden_.size() < enough ? fmt::format("{}\n", line) : "";
    } else {
      ranks_spoke_ = true;
      log::write_line(line);
    }
  }
  int fd_;
  bool ranks_spoke_ = false;
  std::string hidden_;
  std::string text_;
  LauncherNoise noise_;
};

/// What the ranks say of themselves, unless it is the word of an earlier start.
std::optional<LiveState> live_since(const RunLayout& layout, WallTime since) {
  std::optional<LiveState> live = read_live(layout.live());
  return live && live->updated >= since ? live : std::nullopt;
}

/// Tells the ranks of stop signals. Once: a request to stop. Twice: an end, now.
class StopRelay {
 public:
  void pass_on(const Child& child, const RunLayout& layout, WallTime since) {
    const int signals = stop_signals();
    if (signals == 0 || (signals == told_ && (signals > 1 || !is_due(layout, since)))) {
      return;
    }
    told_ = signals;
    next_ = Clock::now() + std::chrono::milliseconds{500};
    ::kill(signals == 1 ? child.pid : -child.pid, signals == 1 ? SIGUSR2 : SIGTERM);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// mpirun loses a signal that comes before it has started the ranks: the request is repeated until they heard it.
  [[nodiscard]] bool is_due(const RunLayout& layout, WallTime since) const {
    if (Clock::now() < next_) {
      return false;
    }
    const std::optional<LiveState> live = live_since(layout, since);
    return !live || live->state == RunState::starting || live->state == RunState::running;
  }

  int told_ = 0;
  Clock::time_point next_;
};

struct LauncherEnd {
  int status = 0;      ///< as of waitpid
  std::string word{};  ///< of mpirun, if nothing else was said
};

/// Waits for the launcher, passing on messages, progress and signals meanwhile.
LauncherEnd watch(const Child& child, const RunLayout& layout, WallTime since,
                  std::optional<ProgressDisplay>& display) {
  Relay relay{child.errors.get()};
  StopRelay stop;
  for (;;) {
    pollfd ready{child.errors.get(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    relay.pass_on();
    if (display) {
      if (const std::optional<LiveState> live = live_since(layout, since)) {
        display->update(*live);
      }
    }
    stop.pass_on(child, layout, since);
    int status = 0;
    const pid_t ended = ::waitpid(child.pid, &status, WNOHANG);
    if (ended == child.pid) {
      relay.pass_on();
      return {status, relay.only_word()};
    }
    if (ended < 0 && errno != EINTR) {
      throw system_error("cannot wait for mpirun");
    }
  }
}

/// What the ranks' end means. Their word counts only as far as the journal bears it out.
ExitCode verdict(int status, const RunLayout& layout) {
  if (stop_signals() > 1) {
    return ExitCode::interrupted;
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (stop_signals() == 1 && code == 128 + SIGUSR2) {
    return ExitCode::stopped;  // The request came before mpirun or the ranks could hear it: nothing was begun.
  }
  const auto is = [code](ExitCode one) { return code == static_cast<int>(one); };
  if (is(ExitCode::done) || is(ExitCode::quarantined)) {
    const JournalState state = read_journal(layout.journal());
    if (state.end()) {
      return state.quarantine().empty() ? ExitCode::done : ExitCode::quarantined;
    }
    log::error("the ranks ended in order, but the journal does not say that all is done. Run the same command again.");
    return ExitCode::failed;
  }
  for (const ExitCode known : {ExitCode::failed, ExitCode::usage, ExitCode::stopped}) {
    if (is(known)) {
      return known;
    }
  }
  log::error("a rank was lost (mpirun ended with {}). What is committed is safe: the same command goes on from there.",
             code);
  return ExitCode::failed;
}

}  // namespace

std::vector<std::string> mpirun_line(const Supervision& supervision) {
  std::vector<std::string> line{"mpirun", "-n", std::to_string(supervision.ranks)};
  // Within a Slurm allocation the slots are a fact; elsewhere mpirun's guess of them is no reason to refuse.
  if (std::getenv("SLURM_JOB_ID") == nullptr) {
    line.emplace_back("--oversubscribe");
  }
  line.insert(line.end(), {"--bind-to", "none", "-x", supervised_variable});
  for (const std::string& variable : supervision.variables) {
    // Of one that is not set, mpirun would warn; the job has a default for it.
    if (std::getenv(variable.c_str()) != nullptr) {
      line.insert(line.end(), {"-x", variable});
    }
  }
  line.insert(line.end(), supervision.rank_command.begin(), supervision.rank_command.end());
  return line;
}

ExitCode supervise(const Supervision& supervision) {
  watch_stop_signals(false);
  ::setenv(supervised_variable, "1", 1);
  if (::geteuid() == 0) {
    // Containers run as root; Open MPI wants to be told twice that this is meant.
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  const std::vector<std::string> line = mpirun_line(supervision);
  if (!supervision.quiet) {
    log::info("starting {}", fmt::join(line, " "));
  }
  const RunLayout layout{supervision.run_folder};
  const WallTime since = std::chrono::system_clock::now();
  const Child child = start(line);
  std::optional<ProgressDisplay> display;
  if (!supervision.quiet) {
    display.emplace(ProgressTexts{supervision.job, supervision.shown_folder});
  }
  const LauncherEnd end = watch(child, layout, since, display);
  const ExitCode code = verdict(end.status, layout);
  const std::optional<LiveState> live = live_since(layout, since);
  if (!live && code == ExitCode::failed && !end.word.empty()) {
    log::error("mpirun could not start the ranks. It says:\n{}", end.word);
  }
  if (live && display) {
    display->finish(*live, code);
  }
  return code;
}

}  // namespace pantile
