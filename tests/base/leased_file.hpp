#pragma once
// A file that another program holds a lease on, as file servers do: who opens it waits until that gives it back.

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigwait()
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace pantile::testing {

class LeasedFile {
 public:
  /// The lease is given back some time after somebody has asked for it.
  explicit LeasedFile(const std::filesystem::path& path) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) {
      return;
    }
    child_ = ::fork();
    if (child_ == 0) {
      hold(path, ends[1]);
    }
    ::close(ends[1]);
    char held = 'n';
    held_ = ::read(ends[0], &held, 1) == 1 && held == 'y';
    ::close(ends[0]);
  }
  ~LeasedFile() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  LeasedFile(const LeasedFile&) = delete;
  LeasedFile& operator=(const LeasedFile&) = delete;
  /// False where the file system has no leases.
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  [[noreturn]] static void hold(const std::filesystem::path& path, int pipe) {
    sigset_t asked;
    sigemptyset(&asked);
    sigaddset(&asked, SIGIO);
    ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    const char held = ::fcntl(file, F_SETLEASE, F_WRLCK) == 0 ? 'y' : 'n';
    static_cast<void>(!::write(pipe, &held, 1));
    int signal = 0;
    sigwait(&asked, &signal);
    ::usleep(100'000);
    ::_exit(0);  // which gives it back
  }
  pid_t child_ = -1;
  bool held_ = false;
};

}  // namespace pantile::testing
