#pragma once
// Nobody works unseen: who started a rank is looked after, and when that process is gone the rank goes too.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <thread>

namespace pantile {

/// Ranks know by this variable that a supervisor draws their progress, since they have no terminal of their own, and
/// who it is: its number, and where that number means something.
inline constexpr const char* supervised_variable = "PANTILE_SUPERVISED";

/// What a supervisor puts into the variable.
[[nodiscard]] std::string supervisor_name();

/// Looks after the supervisor, as rank 0 does; of one on another machine nothing is known.
class SupervisorWatch {
 public:
  SupervisorWatch();
  /// Asks the system once a second at most.
  [[nodiscard]] bool is_gone();

 private:
  pid_t pid_ = 0;  ///< 0: none, or not on this machine
  bool gone_ = false;
  std::chrono::steady_clock::time_point next_look_;
};

/// Ends this process with 1 within half a second after its parent has ended: for a rank that is mpirun (or its daemon,
/// or Slurm's), without which it can neither speak to the others nor leave in order. What it had not sealed is made
/// again by a resume.
class LauncherWatch {
 public:
  LauncherWatch();

 private:
  std::jthread thread_;
};

}  // namespace pantile
