#pragma once
// How many nodes, ranks, cores, how much memory and time a run should ask a cluster for. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pantile {

/// The nodes of one queue that are up, by the weakest of them.
struct QueueNodes {
  int count = 1;  ///< that one job may have
  int cores = 1;
  std::uint64_t memory_bytes = 0;                 ///< of each; 0: not known, and no job asks for any
  int gpus = 0;                                   ///< of each
  std::optional<std::chrono::seconds> longest{};  ///< that one job may take
};

/// What a job of a queue will never get more of. Nothing: no limit is known.
struct QueueLimits {
  std::optional<int> nodes{};
  std::optional<int> cores{};                   ///< of a node; those that are down count too, here and below
  std::optional<std::uint64_t> memory_bytes{};  ///< of a node
  std::optional<int> gpus{};                    ///< of a node
  std::optional<std::chrono::seconds> time{};
};

/// What a run needs, as `plan` has measured it on one machine.
struct Demand {
  double core_s_likely = 0;  ///< all its work on one core
  double core_s_high = 0;
  double fixed_s = 0;            ///< start, opening the model, the end: more cores do not shorten it
  std::uint64_t items = 0;       ///< still to do
  std::uint64_t rank_bytes = 0;  ///< of each rank, without what its lanes take
  std::uint64_t lane_bytes = 0;  ///< of each lane
};

/// What a person has said; the rest is chosen.
struct Wishes {
  std::optional<int> nodes{};
  std::optional<int> tasks_per_node{};
  std::optional<int> cores_per_task{};
  std::optional<std::uint64_t> memory_bytes{};  ///< of each node
  std::optional<std::chrono::seconds> time{};
  std::chrono::seconds within{3600};  ///< the run should be over after so long, if nodes are there for that
  int gpus_per_node = 0;
  int parts = 0;  ///< an array of so many jobs of one node and one process each; 0: one job
};

struct Allotment {
  int nodes = 1;
  int tasks_per_node = 1;  ///< with the one, on the first node, that only coordinates; 1 of an array
  int cores_per_task = 1;
  int gpus_per_node = 0;
  std::uint64_t memory_bytes = 0;  ///< of each node; 0: what it has
  std::chrono::seconds time{};     ///< of each job: the prediction's upper end and half of it more
  double likely_s = 0;             ///< of each job
  int slices = 1;                  ///< how often it will be queued, since no job may take as long as the run
};

/// Slurm tells a job two minutes before its end, and up to half a minute earlier; a shorter one would only start and
/// stop.
inline constexpr std::chrono::seconds least_job_time{300};

/// Why such a job would wait for ever, or never do anything; nothing if it would not.
[[nodiscard]] std::optional<std::string> why_in_vain(const Allotment& allotted, const QueueLimits& most);

/// The fewest nodes with which the run is over in time. Preconditions: what is wished for is positive.
[[nodiscard]] Allotment allot(const Demand& demand, const QueueNodes& queue, const Wishes& wishes);

}  // namespace pantile
