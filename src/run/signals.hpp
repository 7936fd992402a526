#pragma once
// A signal becomes a number that loops look at; nothing else happens in a handler.

namespace pantile {

/// SIGINT, SIGTERM and SIGUSR2 count from now on. Once: please stop in order. A second SIGINT or SIGTERM leaves the
/// process at once with 130, unless `second_leaves` is false (the supervisor first stops its ranks); a further SIGUSR2
/// says nothing new.
void watch_stop_signals(bool second_leaves);

/// From here on stop signals change nothing: the run's code is known, and only MPI is left. Launchers end what is left
/// of a world by SIGTERM as soon as its first rank has gone with 75.
void ignore_stop_signals();

/// How many stop signals came so far. Any thread.
[[nodiscard]] int stop_signals() noexcept;

/// The first of them; 0: none came.
[[nodiscard]] int first_stop_signal() noexcept;

}  // namespace pantile
