#include "run/executor_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill(), sigset_t
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <deque>
#include <string_view>
#include <thread>
#include <utility>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/steady.hpp"
#include "device/oom.hpp"
#include "pipeline/link.hpp"
#include "run/executor.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace pantile {
namespace {

using Clock = std::chrono::steady_clock;

// Where a child finds what it was given.
constexpr int link_descriptor = 3;
constexpr int arena_descriptor = 4;

/// The largest message of an executor is Opened, with some dozen bytes for each layer of the model.
constexpr std::uint32_t longest_message = 4U << 20U;

/// Signals that ask a run to stop reach whole process groups: the rank decides what becomes of its executor.
constexpr std::array stop_signal_numbers{SIGINT, SIGTERM, SIGUSR2, SIGHUP};

sigset_t stop_signal_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : stop_signal_numbers) {
    sigaddset(&set, signal);
  }
  return set;
}

/// posix_spawn's parameters, freed whatever happens.
struct SpawnActions {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnActions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
};

/// The lines of a child's stderr: passed on, and the last ones kept.
class LastWords {
 public:
  explicit LastWords(File pipe) : pipe_{std::move(pipe)} { ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK); }

  void read() {
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
    // Not for ever: a child that talks as fast as we read must not keep the rank from its work.
    for (int round = 0; round < 16; ++round) {
      const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
      if (count <= 0) {
        break;
      }
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    constexpr std::size_t longest_line = 4096;
    if (text_.size() > longest_line && text_.find('\n') == std::string::npos) {
      text_ += '\n';
    }
    for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      say(text_.substr(0, end));
      text_.erase(0, end + 1);
    }
  }
  [[nodiscard]] std::vector<std::string> all() {
    if (!text_.empty()) {
      say(std::exchange(text_, {}));
    }
    return {lines_.begin(), lines_.end()};
  }

 private:
  void say(const std::string& line) {
    constexpr std::size_t most_lines = 10;
    // Its level is in its words, and ours says it once. What libraries write there has none.
    const std::string_view text{line};
    if (text.starts_with("debug: ")) {
      log::debug("executor: {}", text.substr(7));
    } else {
      log::warn("executor: {}", text.starts_with("warning: ") ? text.substr(9) : text);
    }
    lines_.push_back(line);
    if (lines_.size() > most_lines) {
      lines_.pop_front();
    }
  }
  File pipe_;
  std::string text_;
  std::deque<std::string> lines_;
};

struct Child {
  pid_t pid = -1;
  std::unique_ptr<Link> link;
  LastWords words;
  RecentOomKills oom_kills;
};

Child start_child(const Arena& arena) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    throw system_error("cannot make a socket for the executor");
  }
  File ours{sockets[0]};
  const File theirs{sockets[1]};
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    throw system_error("cannot make a pipe for the executor's messages");
  }
  File read_end{pipe[0]};
  const File write_end{pipe[1]};
  // Numbers above those that the child will have them under: dup2 must not overwrite one that is still to be taken.
  const File link_copy{::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 16)};
  const File arena_copy{::fcntl(arena.descriptor(), F_DUPFD_CLOEXEC, 16)};
  const File write_copy{::fcntl(write_end.get(), F_DUPFD_CLOEXEC, 16)};
  if (!link_copy || !arena_copy || !write_copy) {
    throw system_error("cannot hand descriptors to the executor");
  }
  SpawnActions spawn;
  ::posix_spawn_file_actions_addopen(&spawn.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&spawn.files, write_copy.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&spawn.files, write_copy.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&spawn.files, link_copy.get(), link_descriptor);
  ::posix_spawn_file_actions_adddup2(&spawn.files, arena_copy.get(), arena_descriptor);
  ::posix_spawn_file_actions_addclosefrom_np(&spawn.files, arena_descriptor + 1);
  const sigset_t blocked = stop_signal_set();  // Until the child has said what it makes of them.
  ::posix_spawnattr_setsigmask(&spawn.attributes, &blocked);
  ::posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK);
  std::string name = "pantile";
  std::string subcommand = executor_subcommand;
  std::string bytes = std::to_string(arena.capacity());
  std::string parent = std::to_string(::getpid());
  std::array<char*, 5> arguments{name.data(), subcommand.data(), bytes.data(), parent.data(), nullptr};
  const RecentOomKills oom_kills{count_oom_kills(), steady_s()};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, "/proc/self/exe", &spawn.files, &spawn.attributes, arguments.data(), environ);
  if (failed != 0) {
    throw Error{
        fmt::format("cannot start the executor, a process of this program: {} (it decodes images and runs the "
                    "model). Is the limit of processes reached? devices.isolation: none does without it.",
                    std::strerror(failed))};
  }
  return {.pid = pid,
          .link = linked_by_socket(std::move(ours), longest_message),
          .words = LastWords{std::move(read_end)},
          .oom_kills = oom_kills};
}

std::string signal_name(int number) {
  const char* const name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

class ProcessHost final : public ExecutorHost {
 public:
  explicit ProcessHost(const Arena& arena) : arena_{arena}, child_{start_child(arena)} {}
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;
  ~ProcessHost() override {
    if (has_ended_) {
      return;
    }
    send(StopExecutor{});
    // Killed after a while: it may be at a tile that lasts, and nobody waits for it. Left alone after another one: a
    // process that waits for a dead disk does not go before that answers.
    if (!ends_within(std::chrono::seconds{2})) {
      ::kill(child_.pid, SIGKILL);
      if (!ends_within(std::chrono::seconds{2})) {
        log::warn("the executor, process {}, was killed and does not end: it waits for a disk or a device", child_.pid);
      }
    }
    child_.words.read();
  }

  void send(const ToExecutor& message) override { child_.link->send(encode_message(message)); }

  [[nodiscard]] std::optional<FromExecutor> receive() override {
    if (!is_garbled_) {
      try {
        if (const std::optional<Bytes> bytes = child_.link->receive(std::chrono::milliseconds{0})) {
          return decode_message<FromExecutor>(*bytes);
        }
      } catch (const WireError& error) {
        log::debug("the executor, process {}, said: {}", child_.pid, error.what());
        is_garbled_ = true;
        kill(DeathCause::crashed);
      }
    }
    child_.words.read();
    child_.oom_kills.look(steady_s(), &count_oom_kills);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<int> process() const override { return child_.pid; }

  [[nodiscard]] std::optional<ExecutorDeath> ended() override {
    // The kernel closes a dead child's socket. One that closed it and lives is of no more use either.
    if (has_ended_ || !(is_garbled_ || child_.link->closed())) {
      return std::nullopt;
    }
    int status = 0;
    pid_t waited = ::waitpid(child_.pid, &status, WNOHANG);
    if (waited == 0) {
      if (!closed_at_) {
        closed_at_ = Clock::now();
      } else if (Clock::now() - *closed_at_ > std::chrono::seconds{1}) {
        ::kill(child_.pid, SIGKILL);
      }
      return std::nullopt;
    }
    has_ended_ = true;
    child_.words.read();
    ExecutorDeath death;
    death.pid = child_.pid;
    death.words = child_.words.all();
    death.oom_kills = child_.oom_kills.lately(count_oom_kills());
    if (waited == child_.pid && WIFSIGNALED(status)) {
      const int number = WTERMSIG(status);
      death.how = signal_name(number);
      const bool from_outside = number == SIGKILL || number == SIGTERM;
      death.cause = killed_for_                                ? *killed_for_
                    : number == SIGKILL && death.oom_kills > 0 ? DeathCause::out_of_memory
                    : from_outside                             ? DeathCause::killed
                                                               : DeathCause::crashed;
    } else {
      // Nobody can tell how, where whoever started us has children reaped by the kernel.
      death.how = waited == child_.pid ? fmt::format("exit code {}", WEXITSTATUS(status)) : "nobody saw how";
      death.cause = killed_for_ ? *killed_for_ : waited == child_.pid ? DeathCause::crashed : DeathCause::killed;
    }
    if (is_garbled_) {
      death.how = "ended for saying what its rank does not understand";
    }
    return death;
  }

  bool kill(DeathCause cause) override {
    if (killed_for_) {
      return false;  // A process that waits for a dead disk takes its time to go.
    }
    killed_for_ = cause;
    ::kill(child_.pid, SIGKILL);
    return true;
  }

  void restart() override {
    expect(has_ended_, "an executor is replaced when it has ended");
    child_ = start_child(arena_);
    has_ended_ = false;
    killed_for_.reset();
    closed_at_.reset();
    is_garbled_ = false;
  }

 private:
  [[nodiscard]] bool ends_within(Clock::duration patience) {
    const Clock::time_point deadline = Clock::now() + patience;
    int status = 0;
    while (::waitpid(child_.pid, &status, WNOHANG) == 0) {
      if (Clock::now() >= deadline) {
        return false;
      }
      static_cast<void>(receive());  // It may have more to say than the link holds.
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
  }

  const Arena& arena_;
  Child child_;
  bool has_ended_ = false;
  std::optional<DeathCause> killed_for_;  ///< by us
  std::optional<Clock::time_point> closed_at_;
  bool is_garbled_ = false;  ///< what it says makes no sense: nothing more of it is read
};

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw UsageError{"`pantile executor` is how a rank starts its own executor; it is of no use by hand"};
  }
  return number;
}

}  // namespace

std::unique_ptr<ExecutorHost> host_executor_process(const Arena& arena) { return std::make_unique<ProcessHost>(arena); }

ExitCode serve_as_executor(std::span<char* const> arguments) {
  const bool is_started_by_rank = arguments.size() == 2 && ::fcntl(link_descriptor, F_GETFD) >= 0;
  const std::uint64_t arena_bytes = number_in(is_started_by_rank ? arguments[0] : "");
  const std::uint64_t parent = number_in(arguments[1]);
  for (const int signal : stop_signal_numbers) {
    ::signal(signal, SIG_IGN);
  }
  const sigset_t blocked = stop_signal_set();
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  // Nobody is left to work for when the rank is gone; it may have gone before we asked to be told.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (static_cast<std::uint64_t>(::getppid()) != parent) {
    return ExitCode::failed;
  }
  ::prctl(PR_SET_NAME, "pantile-exec");
  prefer_for_oom();
  const std::unique_ptr<Link> link = linked_by_socket(File{link_descriptor});
  const Arena arena{File{arena_descriptor}, arena_bytes};
  run_executor(*link, arena, OwnProcess::yes);
  // Nothing of ours is worth a destructor: results lie in the arena, and libraries may wait for each other at exit.
  ::_exit(0);
}

}  // namespace pantile
