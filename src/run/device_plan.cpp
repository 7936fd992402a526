#include "run/device_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "device/cpu.hpp"
#include "image/block_grid.hpp"
#include "run/stage_setup.hpp"

namespace pantile {

DeviceBudget device_budget(const RunConfig& config, const NodeShare& share, std::uint64_t output_channels) {
  const std::uint64_t node = config.devices.memory.budget(host_memory_limit().bytes);
  const std::uint64_t cap = node / static_cast<std::uint64_t>(std::max(1, share.workers));
  // The arena must hold the largest block; beyond a few of the common ones more is of no use.
  const std::uint64_t largest_block = std::uint64_t{block_side_px} * block_side_px * output_channels;
  return {.cap = cap,
          .arena = std::max(largest_block, std::clamp(cap / 8, 16 * MiB, 256 * MiB)),
          .decoded = std::clamp(cap / 8, 4 * MiB, 256 * MiB),
          .shard_buffers = 8 * MiB};
}

int lanes_for(const RunConfig& config, const NodeShare& share) {
  const int cores = usable_cores();
  const int own = cores / share.workers + (share.worker < cores % share.workers ? 1 : 0);
  return config.devices.jobs_per_device.value_or(std::max(1, own));
}

namespace {

/// Throws UsageError if it is not known.
const Footprint& known_footprint(const DeviceBudget& budget, const Opened& opened) {
  if (!opened.calibration.footprint.known()) {
    throw UsageError{
        fmt::format("devices.memory.cap: of {}, {} are left for the model, which is too little even for its "
                    "smallest tiles. Raise the cap; `pantile doctor` says how much memory there is.",
                    format_byte_size(budget.cap), format_byte_size(opened.budget_bytes))};
  }
  return opened.calibration.footprint;
}

}  // namespace

DeviceRequest::DeviceRequest(const RunConfig& config, const DeviceBudget& budget, const Opened& opened,
                             std::span<const ExtentClass> extents, int lanes)
    : config_{config},
      facts_{opened.facts},
      footprint_{known_footprint(budget, opened)},
      border_{stage_options(config.pipeline.front(), opened.facts).border},
      budget_bytes_{opened.budget_bytes - std::min(budget.decoded, opened.budget_bytes / 4)},
      lanes_{lanes} {
  for (const ExtentClass& extent : extents) {
    items_.push_back({extent.extent, extent.count});
  }
}

TileRequest DeviceRequest::request() const {
  return {.facts = facts_,
          .footprint = footprint_,
          .border = border_,
          .items = items_,
          .budget_bytes = budget_bytes_,
          .lanes = lanes_,
          .size = config_.tiles.size};
}

TilePlan plan_device(const RunConfig& config, const DeviceBudget& budget, const Opened& opened,
                     std::span<const ExtentClass> extents, int lanes) {
  const DeviceRequest device{config, budget, opened, extents, lanes};
  const TileDecision decision = plan_tiles(device.request());
  if (const auto* const plan = std::get_if<TilePlan>(&decision)) {
    return *plan;
  }
  throw UsageError{fmt::format("devices.memory.cap: {} is too little: {}. Raise the cap.", format_byte_size(budget.cap),
                               std::get<TileDoesNotFit>(decision).why)};
}

}  // namespace pantile
