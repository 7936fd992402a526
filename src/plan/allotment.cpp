#include "plan/allotment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

/// Slurm looks at time limits about twice a minute, and a job's start, end and drain take some.
constexpr std::chrono::seconds least_time{600};
constexpr std::chrono::seconds time_step{300};
constexpr std::uint64_t least_memory_bytes = 2 * GiB;
/// The cap is 80 % of what the job is given, unless its config says otherwise.
constexpr double cap_share = 0.8;
/// A node's cores are others than those that were timed, and a hash does not deal parts out quite evenly.
constexpr double margin = 1.5;

template <class Rounded>
Rounded rounded_up(Rounded value, Rounded step) {
  return (value + step - Rounded{1}) / step * step;
}

double seconds_on(const Demand& demand, double core_s, double cores) {
  return demand.fixed_s + core_s / std::max(1.0, cores);
}

int nodes_for(const Demand& demand, const QueueNodes& queue, std::chrono::seconds within) {
  const double most = std::max<double>(1, static_cast<double>(within.count()) - demand.fixed_s);
  const double wanted = std::ceil(demand.core_s_likely / most / std::max(1, queue.cores));
  const auto useful = static_cast<double>(std::max<std::uint64_t>(1, demand.items));
  return static_cast<int>(std::clamp(wanted, 1.0, std::min<double>(std::max(1, queue.count), useful)));
}

/// A rank that coordinates and one that computes on the first node; two that share the cores of each other.
int tasks_for(const QueueNodes& queue, const Wishes& wishes) {
  if (wishes.parts > 0) {
    return 1;
  }
  return wishes.gpus_per_node > 0 ? wishes.gpus_per_node + 1 : std::min(2, std::max(1, queue.cores));
}

std::uint64_t memory_for(const Demand& demand, const QueueNodes& queue, const Allotment& allotted) {
  const auto lanes = static_cast<std::uint64_t>(allotted.cores_per_task);
  const std::uint64_t ranks =
      static_cast<std::uint64_t>(allotted.tasks_per_node) * (demand.rank_bytes + lanes * demand.lane_bytes);
  const auto wanted = static_cast<std::uint64_t>(margin / cap_share * static_cast<double>(ranks));
  return std::min(std::max(least_memory_bytes, rounded_up<std::uint64_t>(wanted, GiB)), queue.memory_bytes);
}

/// "64 cores are asked for, and no node has more than 32".
template <class Number>
std::optional<std::string> too_many(Number asked, std::optional<Number> most, const char* what, const char* who) {
  if (!most || asked <= *most) {
    return std::nullopt;
  }
  return fmt::format("{} {} are asked for, and {} than {}", asked, what, who, *most);
}

}  // namespace

std::optional<std::string> why_in_vain(const Allotment& allotted, const QueueLimits& most) {
  constexpr const char* no_node = "no node has more";
  const auto minutes_of = [](std::chrono::seconds time) {
    return std::chrono::ceil<std::chrono::minutes>(time).count();
  };
  if (auto why = too_many(allotted.nodes, most.nodes, "nodes", "a job gets no more")) {
    return why;
  }
  if (auto why = too_many(allotted.tasks_per_node * allotted.cores_per_task, most.cores, "cores a node", no_node)) {
    return why;
  }
  if (auto why = too_many(allotted.gpus_per_node, most.gpus, "GPUs a node", no_node)) {
    return why;
  }
  if (most.memory_bytes) {
    if (auto why =
            too_many(allotted.memory_bytes / MiB, std::optional{*most.memory_bytes / MiB}, "MiB a node", no_node)) {
      return why;
    }
  }
  if (most.time) {
    if (auto why = too_many(minutes_of(allotted.time), std::optional{minutes_of(*most.time)}, "minutes",
                            "a job gets no more")) {
      return why;
    }
  }
  if (allotted.time < least_job_time) {
    return fmt::format(
        "{} s are too short: Slurm tells a job two minutes before its end, and it would stop as it starts. Give it {} "
        "minutes at least",
        allotted.time.count(), least_job_time / std::chrono::minutes{1});
  }
  return std::nullopt;
}

Allotment allot(const Demand& demand, const QueueNodes& queue, const Wishes& wishes) {
  Allotment allotted;
  allotted.gpus_per_node = wishes.gpus_per_node;
  allotted.nodes = wishes.parts > 0 ? 1 : wishes.nodes.value_or(nodes_for(demand, queue, wishes.within));
  allotted.tasks_per_node = wishes.tasks_per_node.value_or(tasks_for(queue, wishes));
  allotted.cores_per_task = wishes.cores_per_task.value_or(std::max(1, queue.cores / allotted.tasks_per_node));
  allotted.memory_bytes = wishes.memory_bytes.value_or(memory_for(demand, queue, allotted));

  const double cores = static_cast<double>(allotted.nodes) * allotted.tasks_per_node * allotted.cores_per_task;
  const double share = 1.0 / std::max(1, wishes.parts);
  allotted.likely_s = seconds_on(demand, demand.core_s_likely * share, cores);
  const double high_s = seconds_on(demand, demand.core_s_high * share, cores) * margin;
  const auto wanted = std::chrono::seconds{rounded_up<std::int64_t>(
      std::max<std::int64_t>(least_time.count(), static_cast<std::int64_t>(std::ceil(high_s))), time_step.count())};
  allotted.time = wishes.time.value_or(queue.longest ? std::min(wanted, *queue.longest) : wanted);
  allotted.slices = std::max(
      1,
      static_cast<int>(std::ceil(allotted.likely_s / std::max<double>(1, static_cast<double>(allotted.time.count())))));
  return allotted;
}

}  // namespace pantile
