#include "run/launcher.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/log.hpp"
#include "run/lifeline.hpp"

namespace pantile {
namespace {

/// mpirun gives its ranks a second between SIGTERM and SIGKILL, too.
constexpr std::chrono::milliseconds patience{1000};

/// The processes of this machine that have our name in their environment: mpirun, our ranks, and what they have
/// started.
std::vector<pid_t> ranks_here() {
  const std::string mark = fmt::format("{}={}", supervised_variable, supervisor_name());
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry{"/proc", error}, end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{} || pid == ::getpid()) {
      continue;
    }
    std::ifstream file{entry->path() / "environ"};  // of no size, by its inode; empty where we may not look
    const std::string variables = '\0' + std::string{std::istreambuf_iterator<char>{file}, {}};
    if (variables.find('\0' + mark + '\0') != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

}  // namespace

void end_ranks_here() {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (std::vector<pid_t> left = ranks_here(); !left.empty() && std::chrono::steady_clock::now() < deadline;
       left = ranks_here()) {
    for (const pid_t pid : left) {
      ::kill(pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

Launcher::Launcher(const std::vector<std::string>& line) {
  try {
    child_ = start_child(line, Hears::errors);
  } catch (const Error& error) {
    throw Error{fmt::format("mpirun starts the ranks: {}. Install Open MPI, or use --ranks 1.", error.what())};
  }
}

Launcher::~Launcher() {
  if (running_) {
    ::kill(-child_.pid, SIGKILL);
    ::waitpid(child_.pid, nullptr, 0);
    end_ranks_here();
  }
}

bool Launcher::runs() {
  pollfd ready{child_.words.get(), POLLIN, 0};
  ::poll(&ready, 1, 100);
  if ((ready.revents & POLLIN) == 0 && (ready.revents & POLLHUP) != 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});  // it has closed its stderr, and goes on
  }
  relay();
  look_for_ranks();
  if (ended_at_ && Clock::now() - *ended_at_ > patience) {
    ::kill(-child_.pid, SIGKILL);
  }
  int status = 0;
  const pid_t ended = ::waitpid(child_.pid, &status, WNOHANG);
  if (ended < 0 && errno != EINTR) {
    throw system_error("cannot wait for mpirun");
  }
  if (ended == child_.pid) {
    running_ = false;
    code_ = exit_code(status);
    end_ranks_here();
    relay();
  }
  return running_;
}

void Launcher::ask_to_drain() const { ::kill(child_.pid, SIGUSR2); }

void Launcher::end() {
  if (!ended_at_) {
    ended_at_ = Clock::now();
    ::kill(-child_.pid, SIGTERM);
  }
}

void Launcher::look_for_ranks() {
  if (Clock::now() < next_look_) {
    return;
  }
  next_look_ = Clock::now() + std::chrono::milliseconds{had_company_ ? 1000 : 50};  // The first may die at once.
  const std::vector<pid_t> here = ranks_here();
  if (std::any_of(here.begin(), here.end(), [&](pid_t pid) { return pid != child_.pid; })) {
    had_company_ = true;
    in_company_ = Clock::now();
  }
}

bool Launcher::is_left_alone() const {
  // On a busy machine, and with many others to reach, the first process takes its time.
  constexpr std::chrono::seconds longest_start{30};
  constexpr std::chrono::seconds longest_end{10};
  return Clock::now() - in_company_ > (had_company_ ? longest_end : longest_start);
}

void Launcher::relay() {
  read_words(child_, text_);
  for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
    say(text_.substr(0, end));
    text_.erase(0, end + 1);
  }
}

void Launcher::say(const std::string& line) {
  constexpr std::size_t enough = 4000;
  if (!noise_.hides(line) && !ended_at_) {  // its last words, and those of ranks that are killed, help nobody
    ranks_spoke_ = true;
    log::write_line(line);
  } else if (talk_.size() < enough) {
    talk_ += line + '\n';
  }
}

}  // namespace pantile
