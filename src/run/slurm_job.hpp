#pragma once

#include <optional>

#include "report/live.hpp"

namespace pantile {

/// When the Slurm job that we are in ends: SLURM_JOB_END_TIME, else squeue is asked, for five seconds at most. Nothing
/// outside of Slurm, or if the job has no limit.
[[nodiscard]] std::optional<WallTime> end_of_slurm_job();

/// We are in a Slurm batch job that may be queued again (Requeue=1), as `scontrol` says.
[[nodiscard]] bool is_in_requeuable_job();

}  // namespace pantile
