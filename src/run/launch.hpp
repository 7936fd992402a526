#pragma once
// How a run gets its ranks: within this process, or as the rank of an MPI world that somebody started.

#include <chrono>
#include <optional>

#include "base/error.hpp"
#include "config/config.hpp"
#include "report/progress.hpp"
#include "run/job.hpp"

namespace pantile {

struct Launch {
  RunConfig config;
  Start start;
  ProgressTexts texts;
  std::optional<std::chrono::milliseconds> time_limit;
  WallTime started;            ///< what the limit counts from
  bool shows_progress = true;  ///< false: nobody does, or a supervisor
};

/// Coordinator and one worker as threads of this process, joined by queues. Throws Error if the job cannot start or the
/// journal cannot be written.
[[nodiscard]] ExitCode run_in_process(const Launch& launch);

/// This process is a rank: it joins the world, as coordinator or worker. A world of one rank is run_in_process. All
/// ranks return the run's code.
[[nodiscard]] ExitCode run_as_rank(const Launch& launch);

}  // namespace pantile
