#pragma once
// The queues (partitions) of the Slurm cluster that this machine belongs to.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/allotment.hpp"

namespace pantile {

struct SlurmQueue {
  std::string name;
  bool is_default = false;
  QueueNodes nodes;
  QueueLimits most;
};

/// What `sinfo -h -e -o "%P|%D|%c|%m|%G|%l|%a|%s|%t"` prints. Queues that are down are left out. Nodes that are down
/// count for what a job may get one day only, unless all are. Less than 256 MiB of memory is what Slurm says where
/// nobody has told it: not known. Pure.
[[nodiscard]] std::vector<SlurmQueue> parse_queues(std::string_view text);

/// "1-12:00:00", "30:00", "infinite": nothing for the last, and for what is no time. Pure.
[[nodiscard]] std::optional<std::chrono::seconds> parse_slurm_time(std::string_view text);
/// "1-12:00:00", as sbatch takes it. Pure.
[[nodiscard]] std::string slurm_time(std::chrono::seconds time);

/// Empty if there is no Slurm here, or it does not answer.
[[nodiscard]] std::vector<SlurmQueue> slurm_queues();

}  // namespace pantile
