#pragma once
// Another process, which does one thing and then waits to be killed.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace pantile::testing {

class OtherProcess {
 public:
  /// `begin` runs in the child, and calls what it is given: with true if all is well, and it stays there until it is
  /// killed.
  template <class Begin>
  explicit OtherProcess(Begin begin) {
    if (::pipe(pipe_.data()) != 0) {
      return;
    }
    id_ = ::fork();
    if (id_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      begin([&](bool ok) {
        const char answer = ok ? 1 : 0;
        (void)!::write(pipe_[1], &answer, 1);
        for (;;) {
          ::pause();
        }
      });
      ::_exit(1);
    }
    ::close(pipe_[1]);
    char answer = 0;
    begun_ = ::read(pipe_[0], &answer, 1) == 1 && answer == 1;
    ::close(pipe_[0]);
  }
  ~OtherProcess() { kill(); }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  [[nodiscard]] bool has_begun() const noexcept { return begun_; }
  void kill() {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
      id_ = -1;
    }
  }

 private:
  std::array<int, 2> pipe_{-1, -1};
  pid_t id_ = -1;
  bool begun_ = false;
};

}  // namespace pantile::testing
