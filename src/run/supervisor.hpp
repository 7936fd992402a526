#pragma once
// The process that a person starts: it starts the ranks with mpirun, shows their progress, passes signals on, starts
// them again when some are lost, and says how it ended. It touches no image and no MPI.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "report/live.hpp"
#include "run/hosts.hpp"
#include "run/lifeline.hpp"

namespace pantile {

struct Supervision {
  std::vector<std::string> rank_command;  ///< what each rank runs: this program, "run", the job, its options
  /// The same to go on with a run that has begun: without what is done once (--fresh, --retry-failed, --rescan).
  std::vector<std::string> resume_command;
  int ranks = 2;
  std::string job;  ///< as on the command line, for the closing lines
  std::filesystem::path run_folder;
  std::string shown_folder;  ///< the same as a person types it
  bool quiet = false;
  /// Of the environment, that the job depends on: mpirun passes none to other nodes unless it is told to.
  std::vector<std::string> variables{};
  std::optional<WallTime> ends_at{};  ///< nothing is started again just before
};

/// The mpirun line for these ranks, as it is started and shown. `hosts`: those to use; empty: all that mpirun knows.
[[nodiscard]] std::vector<std::string> mpirun_line(const Supervision& supervision,
                                                   const std::vector<std::string>& command,
                                                   const std::vector<Host>& hosts);

/// Starts the ranks, again if some are lost, and waits for the end of the run. The journal decides the exit code: 0 and
/// 3 only if it says that all is done. When this returns, no process of the run is left on this machine. Throws Error
/// if mpirun cannot be started.
[[nodiscard]] ExitCode supervise(const Supervision& supervision);

}  // namespace pantile
