#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "report/live.hpp"

namespace pantile {

/// The Slurm job that we are in, for `scontrol` and `squeue`: "123", or "123_4" in an array. Not SLURM_JOB_ID, which is
/// the whole array's number in the task that Slurm starts last. Empty outside of Slurm.
[[nodiscard]] std::string slurm_job_name();

/// When the Slurm job that we are in ends: SLURM_JOB_END_TIME, else squeue is asked, for five seconds at most. Nothing
/// outside of Slurm, or if the job has no limit.
[[nodiscard]] std::optional<WallTime> end_of_slurm_job();

/// We are in a Slurm batch job that may be queued again (Requeue=1), as `scontrol` says.
[[nodiscard]] bool is_in_requeuable_job();

/// The Slurm batch job that we are in shall not be queued again: who drains its run by hand has other plans with it
/// than its script. True if that is so now. Asks Slurm twice, for five seconds at most each; false at once outside of
/// it.
[[nodiscard]] bool keep_slurm_job_from_requeue();

/// Throws Error in a Slurm job that comes back again and again (SLURM_RESTART_COUNT) to a run whose last starts have
/// all committed nothing: its script would queue it for ever. A job that a person submits anew may always try.
void expect_requeues_to_help(std::uint32_t starts_in_vain);

}  // namespace pantile
