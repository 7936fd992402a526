#pragma once
// The process that a person starts: it starts the ranks with mpirun, shows their progress, passes signals on, and says
// how it ended. It touches no image and no MPI.

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace pantile {

struct Supervision {
  std::vector<std::string> rank_command;  ///< what each rank runs: this program, "run", the job, its options
  int ranks = 2;
  std::string job;  ///< as on the command line, for the closing lines
  std::filesystem::path run_folder;
  std::string shown_folder;  ///< the same as a person types it
  bool quiet = false;
  /// Of the environment, that the job depends on: mpirun passes none to other nodes unless it is told to.
  std::vector<std::string> variables{};
};

/// Ranks know by this variable that a supervisor draws their progress: they have no terminal of their own.
inline constexpr const char* supervised_variable = "PANTILE_SUPERVISED";

/// The mpirun line for these ranks, as it is started and shown.
[[nodiscard]] std::vector<std::string> mpirun_line(const Supervision& supervision);

/// Starts the ranks and waits for their end. The journal decides the exit code: 0 and 3 only if it says that all is
/// done. Throws Error if mpirun cannot be started.
[[nodiscard]] ExitCode supervise(const Supervision& supervision);

}  // namespace pantile
