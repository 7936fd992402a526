#pragma once
// What a worker makes of its Welcome.

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "run/device_plan.hpp"
#include "run/shard_thread.hpp"

namespace pantile {

/// Where its shards go and what they say of the run.
[[nodiscard]] ShardThread::Settings shard_settings(const Welcome& welcome, const RunConfig& config, RankId rank);

/// Reads the headers that the coordinator asks for while the catalog is made, on this rank's share of the node.
[[nodiscard]] ProbedBatch probe_batch(const ProbeBatch& batch, const NodeShare& share);

/// A file that cannot be read is its item's fault, unless its whole input is away: then it is this node's. Throws Error
/// if one of the inputs' folders or archives cannot be reached from here.
void expect_inputs(const std::vector<std::string>& roots);

}  // namespace pantile
