#include "app/mpi_facts.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/machine_facts.hpp"
#include "cluster/mpi.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace pantile::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* trial_variable = "PANTILE_DOCTOR_RANK";
/// What a rank returns that found itself alone; no code that mpirun has of its own.
constexpr ExitCode alone = ExitCode::differs;

/// mpirun's words for a person: the lines without its frames, on one line.
std::string on_one_line(const std::string& text) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    line.erase(0, line.find_first_not_of(' '));
    if (!line.empty() && line.find_first_not_of('-') != std::string::npos) {
      result += (result.empty() ? "" : " ") + line;
    }
    begin = end + 1;
  }
  constexpr std::size_t enough = 400;
  return result.size() > enough ? result.substr(0, enough) + " …" : result;
}

}  // namespace

MpiTrial::MpiTrial() {
  facts_.library = mpi::Environment::version();
  facts_.root = ::geteuid() == 0;
  facts_.inside_rank = mpi::launched_as_rank();
  if (!facts_.inside_rank) {
    start();
  }
}

void MpiTrial::start() {
  begin_ = Clock::now();
  if (!is_on_path("mpirun")) {
    facts_.start = MpiFacts::Start::missing;
    return;
  }
  if (facts_.root) {
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  ::setenv(trial_variable, "1", 1);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw system_error("cannot make a pipe for the words of mpirun");
  }
  words_ = File{ends[0]};
  const File write_end{ends[1]};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> line{"mpirun", "-n", "2", "--bind-to", "none", "-x", trial_variable, self, "doctor"};
  if (std::getenv("SLURM_JOB_ID") == nullptr) {
    line.insert(line.begin() + 1, "--oversubscribe");
  }
  // In our process group: a Ctrl-C of the terminal ends mpirun, too.
  std::vector<char*> arguments;
  std::transform(line.begin(), line.end(), std::back_inserter(arguments),
                 [](std::string& word) { return word.data(); });
  arguments.push_back(nullptr);
  const int failed = ::posix_spawnp(&pid_, "mpirun", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::unsetenv(trial_variable);
  if (failed != 0) {
    pid_ = -1;
    facts_.start = MpiFacts::Start::failed;
    facts_.words = std::strerror(failed);
  }
}

MpiTrial::~MpiTrial() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);  // mpirun ends its ranks then
    for (int i = 0; i < 50 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
      ::usleep(10'000);
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, WNOHANG);
  }
}

MpiFacts MpiTrial::facts(std::chrono::milliseconds most) {
  if (pid_ < 0) {
    return facts_;
  }
  std::string words;
  for (bool open = true; open;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(begin_ + most - Clock::now());
    pollfd ready{words_.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      facts_.start = MpiFacts::Start::late;
      facts_.took = most;
      return facts_;
    }
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(words_.get(), buffer.data(), buffer.size());
    open = count > 0 || (count < 0 && errno == EINTR);
    words.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  facts_.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin_);
  facts_.words = on_one_line(words);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  facts_.start = code == 0                         ? MpiFacts::Start::works
                 : code == static_cast<int>(alone) ? MpiFacts::Start::alone
                                                   : MpiFacts::Start::failed;
  return facts_;
}

bool is_trial_rank() { return std::getenv(trial_variable) != nullptr && mpi::launched_as_rank(); }

ExitCode be_trial_rank() {
  mpi::Environment environment;
  environment.leave_with(0);
  return environment.size() == 2 ? ExitCode::done : alone;
}

}  // namespace pantile::app
