#pragma once
// When a run has to be over: `--time-limit`, and the end of the Slurm job that it runs in.

#include <chrono>
#include <optional>

#include "plan/scheduler_messages.hpp"
#include "report/live.hpp"
#include "run/job.hpp"

namespace pantile {

/// The earlier of both ends; nothing if there is neither. Under Slurm, ten seconds before its own: the job's script may
/// have something to do behind us (`scontrol requeue`). The end of a Slurm job is SLURM_JOB_END_TIME, else squeue is
/// asked once, for five seconds at most. A supervisor's ranks take what the supervisor found.
[[nodiscard]] std::optional<WallTime> end_of_run(std::optional<std::chrono::milliseconds> time_limit, WallTime started);

/// Hands the end on to the ranks that this process starts.
void pass_on_end(WallTime ends_at);
/// The variable that it is passed in.
inline constexpr const char* end_variable = "PANTILE_ENDS_AT";

/// For the scheduler's clock: from now until the last shard has to be committed, the time for the index taken off.
[[nodiscard]] double seconds_until_deadline(WallTime ends_at, const Job& job);

/// One line, two if the largest item that is left takes longer than the limit leaves: it would be left for ever.
void tell_time_is_up(const TimeIsUp& told, const Catalog& catalog);

}  // namespace pantile
