#include "run/signals.hpp"

#include <unistd.h>
#include <csignal>

#include <atomic>

#include "base/error.hpp"

namespace pantile {
namespace {

std::atomic<int> count{0};
std::atomic<int> first{0};
std::atomic<bool> leave_on_second{true};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch it");

extern "C" void on_stop_signal(int number) {
  int none = 0;
  first.compare_exchange_strong(none, number);
  if (number == SIGUSR2) {
    none = 0;
    count.compare_exchange_strong(none, 1);  // A request, however often it is made.
  } else if (count.fetch_add(1) >= 1 && leave_on_second) {
    ::_exit(static_cast<int>(ExitCode::interrupted));
  }
}

}  // namespace

void watch_stop_signals(bool second_leaves) {
  leave_on_second = second_leaves;
  struct sigaction action {};
  action.sa_handler = &on_stop_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR2}) {
    ::sigaction(signal, &action, nullptr);
  }
}

void ignore_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR2}) {
    std::signal(signal, SIG_IGN);
  }
}

int stop_signals() noexcept { return count.load(); }

int first_stop_signal() noexcept { return first.load(); }

}  // namespace pantile
