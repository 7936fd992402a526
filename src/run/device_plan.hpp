#pragma once
// What a worker may use of its node, how it shares that out, and which tiles follow. The numbers come from the machine
// and the executor; the choice is plan/'s.

#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "pipeline/executor_protocol.hpp"
#include "plan/memory_layout.hpp"

namespace pantile {

/// Which share of its node a worker has.
struct NodeShare {
  std::string device;  ///< "node1:cpu0"
  int cores = 1;       ///< for threads of its own
  int workers = 1;     ///< of this node
};
/// Of the first of `workers` that share this machine's cores.
[[nodiscard]] NodeShare share_here(int workers);

/// The cap of this worker's device by the config, bytes. Throws Error if the machine does not tell its memory.
[[nodiscard]] std::uint64_t device_cap(const MemoryConfig& memory, const NodeShare& share);

/// How much address space an arena is given: as much as any cap will ask of it. Memory is taken as it is used.
[[nodiscard]] std::uint64_t arena_capacity(std::uint64_t output_channels);

/// One lane per core of this worker's share, unless the config says how many: lanes give 1.7 to 1.9 times the
/// throughput of one where threads inside a run give 1.2.
[[nodiscard]] int lanes_for(const RunConfig& config, const NodeShare& share);

/// What the planner is asked for an opened device: it owns what MemoryRequest only points to.
class DeviceRequest {
 public:
  /// Throws UsageError if nothing could be learnt of the model.
  DeviceRequest(const RunConfig& config, const Opened& opened, std::span<const ExtentClass> extents, int lanes);
  DeviceRequest(const DeviceRequest&) = delete;
  DeviceRequest& operator=(const DeviceRequest&) = delete;
  /// What is taken of any cap for good: program, libraries, weights. Bytes.
  [[nodiscard]] std::uint64_t standing_bytes() const noexcept { return standing_bytes_; }
  /// What is learnt of tiles goes here, and holds for the next plan.
  [[nodiscard]] Footprint& footprint() noexcept { return footprint_; }
  [[nodiscard]] Border border() const noexcept { return border_; }
  [[nodiscard]] MemoryRequest request(std::uint64_t cap_bytes) const;
  /// Tiles, lanes and all else under this cap, or why not, with the cap that would do.
  struct Refusal {
    std::uint64_t least_cap_bytes = 0;  ///< UINT64_MAX if none would
    std::string why;
  };
  [[nodiscard]] std::variant<MemoryLayout, Refusal> plan(std::uint64_t cap_bytes) const;

 private:
  const RunConfig& config_;
  ModelFacts facts_;
  Footprint footprint_;
  Border border_;
  std::vector<ExtentCount> items_;
  std::uint64_t standing_bytes_;
  std::uint64_t least_cap_bytes_;
  int lanes_;
};

/// "20 MiB is too little: …. 63MiB would do."
[[nodiscard]] std::string too_little(std::uint64_t cap_bytes, const DeviceRequest::Refusal& refusal);

/// The same. Throws UsageError, naming the cap that would do, if nothing fits.
[[nodiscard]] MemoryLayout plan_device(const DeviceRequest& device, std::uint64_t cap_bytes);

}  // namespace pantile
