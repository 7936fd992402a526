#pragma once
// What the workers of one node have been given of it, and how they share it without a word between them: each knows
// what all of them see, and reckons the same. Pure, but for resources_here().

#include <string>
#include <vector>

#include "base/fields.hpp"

namespace pantile {

/// What one worker sees: what taskset, Slurm and CUDA_VISIBLE_DEVICES have left it.
struct NodeResources {
  std::vector<int> cores;         ///< numbers of the cores that it may run on
  std::vector<std::string> gpus;  ///< "gpu1": names by the number that the node gives them
};

template <class Archive>
void fields(Archive& archive, NodeResources& resources) {
  archive(resources.cores, resources.gpus);
}

/// Of this process. GPUs: this version computes on CPUs only. PANTILE_FAKE_GPUS=N stands for N GPUs whose work is done
/// on the CPU: with it, allocations, names and caps are tried where there is none.
[[nodiscard]] NodeResources resources_here();

/// The GPUs that CUDA would show of `present` ones: all if the variable is not set (nullptr), else those it lists, up
/// to the first that makes no sense. UUIDs count by their place in the list.
[[nodiscard]] std::vector<std::string> visible_gpus(const char* cuda_visible_devices, int present);

/// How many cores each worker has for its own threads, at least 1: those that several may run on are dealt out evenly.
[[nodiscard]] std::vector<int> deal_cores(const std::vector<NodeResources>& workers);

/// The device of each: one of the GPUs that it sees while any of them is free, else the CPU ("cpu2" of worker 2).
[[nodiscard]] std::vector<std::string> deal_devices(const std::vector<NodeResources>& workers);

}  // namespace pantile
