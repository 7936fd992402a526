#pragma once
// What a worker may use of its node, how it shares that out, and which tiles follow. The numbers come from the machine
// and the executor; the choice is plan/'s.

#include <cstdint>
#include <span>
#include <string>

#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "pipeline/executor_protocol.hpp"
#include "plan/tile_planner.hpp"

namespace pantile {

/// Which share of its node a worker has.
struct NodeShare {
  std::string device;  ///< "node1:cpu0"
  int worker = 0;      ///< among the workers of this node
  int workers = 1;
};

/// How a device's cap is shared out before the engine gets the rest. Bytes.
struct DeviceBudget {
  std::uint64_t cap = 0;
  std::uint64_t arena = 0;    ///< finished blocks that wait to be written
  std::uint64_t decoded = 0;  ///< images that are decoded ahead
  std::uint64_t shard_buffers = 0;
};

/// The cap of this worker: the config's budget of the node's memory, divided equally among the node's workers.
[[nodiscard]] DeviceBudget device_budget(const RunConfig& config, const NodeShare& share,
                                         std::uint64_t output_channels);

/// One lane per core of this worker's share, unless the config says how many: lanes give 1.7 to 1.9 times the
/// throughput of one where threads inside a run give 1.2.
[[nodiscard]] int lanes_for(const RunConfig& config, const NodeShare& share);

/// What the planner is asked for an opened device: it owns what TileRequest only points to.
class DeviceRequest {
 public:
  /// Throws UsageError if the cap was too little even for the engine's smallest tiles.
  DeviceRequest(const RunConfig& config, const DeviceBudget& budget, const Opened& opened,
                std::span<const ExtentClass> extents, int lanes);
  DeviceRequest(const DeviceRequest&) = delete;
  DeviceRequest& operator=(const DeviceRequest&) = delete;
  [[nodiscard]] TileRequest request() const;

 private:
  const RunConfig& config_;
  ModelFacts facts_;
  Footprint footprint_;
  Border border_;
  std::vector<ExtentCount> items_;
  std::uint64_t budget_bytes_;
  int lanes_;
};

/// Tiles and lanes under the budget. Throws UsageError, naming the cap that would do, if nothing fits.
[[nodiscard]] TilePlan plan_device(const RunConfig& config, const DeviceBudget& budget, const Opened& opened,
                                   std::span<const ExtentClass> extents, int lanes);

}  // namespace pantile
