#pragma once
// Nobody works unseen: rank 0 looks after the process that started the ranks, and stops the run when that is gone. That
// mpirun is gone Open MPI sees itself, and ends each rank.

#include <sys/types.h>

#include <chrono>
#include <string>

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

}  // namespace pantile
