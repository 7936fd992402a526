#include "run/device_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/byte_size.hpp"
#include "device/cpu.hpp"
#include "image/block_grid.hpp"
#include "report/live.hpp"
#include "run/stage_setup.hpp"

namespace pantile {

std::uint64_t device_cap(const MemoryConfig& memory, const NodeShare& share) {
  return memory.budget(share.device, host_memory_limit().bytes, share.workers);
}

std::uint64_t arena_capacity(std::uint64_t output_channels) {
  return std::max(256 * MiB, std::uint64_t{block_side_px} * block_side_px * output_channels);
}

NodeShare share_here(int workers) {
  return {.device = host_name() + ":cpu0", .cores = (usable_cores() + workers - 1) / workers, .workers = workers};
}

int lanes_for(const RunConfig& config, const NodeShare& share) {
  return config.devices.jobs_per_device.value_or(share.cores);
}

namespace {

/// Throws UsageError if it is not known.
const Footprint& known_footprint(const Opened& opened) {
  if (!opened.calibration.footprint.known()) {
    throw UsageError{
        "devices.memory.cap is too little for even the smallest tiles of the model, by far. Raise it; `pantile "
        "calibrate "
        "MODEL` shows what tiles need, and `pantile doctor` how much memory there is."};
  }
  return opened.calibration.footprint;
}

}  // namespace

DeviceRequest::DeviceRequest(const RunConfig& config, const Opened& opened, std::span<const ExtentClass> extents,
                             int lanes)
    : config_{config},
      facts_{opened.facts},
      footprint_{known_footprint(opened)},
      border_{stage_options(config.pipeline.front(), opened.facts).border},
      standing_bytes_{opened.standing_bytes},
      least_cap_bytes_{opened.least_cap_bytes},
      lanes_{lanes} {
  for (const ExtentClass& extent : extents) {
    items_.push_back({extent.extent, extent.count});
  }
}

MemoryRequest DeviceRequest::request(std::uint64_t cap_bytes) const {
  return {.tiles = {.facts = facts_,
                    .footprint = footprint_,
                    .border = border_,
                    .items = items_,
                    .budget_bytes = 0,
                    .cap_bytes = cap_bytes,
                    .lanes = lanes_,
                    .size = config_.tiles.size},
          .cap_bytes = cap_bytes,
          .room_bytes = cap_bytes - std::min(cap_bytes, standing_bytes_)};
}

std::variant<MemoryLayout, DeviceRequest::Refusal> DeviceRequest::plan(std::uint64_t cap_bytes) const {
  const LayoutDecision decision = lay_out_memory(request(cap_bytes));
  const auto* const layout = std::get_if<MemoryLayout>(&decision);
  if (layout != nullptr && cap_bytes >= least_cap_bytes_) {
    return *layout;
  }
  if (layout != nullptr) {
    return Refusal{least_cap_bytes_, fmt::format("opening the model takes {}", format_byte_size(least_cap_bytes_))};
  }
  const auto& refusal = std::get<LayoutDoesNotFit>(decision);
  constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  return Refusal{refusal.least_room_bytes == never
                     ? never
                     : std::max(least_cap_bytes_, standing_bytes_ + refusal.least_room_bytes),
                 refusal.why};
}

MemoryLayout plan_device(const DeviceRequest& device, std::uint64_t cap_bytes) {
  auto planned = device.plan(cap_bytes);
  if (auto* const layout = std::get_if<MemoryLayout>(&planned)) {
    return std::move(*layout);
  }
  throw UsageError{"devices.memory.cap: " + too_little(cap_bytes, std::get<DeviceRequest::Refusal>(planned))};
}

std::string too_little(std::uint64_t cap_bytes, const DeviceRequest::Refusal& refusal) {
  std::string text = fmt::format("{} is too little: {}.", format_byte_size(cap_bytes), refusal.why);
  if (refusal.least_cap_bytes != std::numeric_limits<std::uint64_t>::max()) {
    // As a person writes it, with a mebibyte more for what differs from start to start.
    text += fmt::format(" {}MiB would do.", (refusal.least_cap_bytes + 2 * MiB - 1) / MiB);
  }
  return text;
}

}  // namespace pantile
