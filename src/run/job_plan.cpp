#include "run/job_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "device/process_memory.hpp"
#include "image/block_grid.hpp"
#include "pipeline/arena.hpp"
#include "pipeline/executor_protocol.hpp"
#include "pipeline/link.hpp"
#include "plan/forecast.hpp"
#include "report/live.hpp"
#include "run/calibration_files.hpp"
#include "run/device_plan.hpp"
#include "run/disk_needs.hpp"
#include "run/executor_host.hpp"
#include "run/scheduler_setup.hpp"
#include "run/tile_timing.hpp"

namespace pantile {
namespace {

using Clock = std::chrono::steady_clock;

/// PNG decodes at about 60 MP/s a core, JPEG at twice that; the digest and the shard take less (tools/bench/results).
constexpr double decoded_px_per_s = 60e6;
/// mpirun, MPI and the ranks' own start, beside opening the model.
constexpr double launch_s = 0.4;
/// The last seal, the index.
constexpr double finish_s = 0.1;
/// What a machine may be slower or faster than while it was timed (tools/bench/plan_against_run.py).
constexpr double slower = 1.2;
constexpr double faster = 0.85;

/// A device of this machine with the model open, as a worker would have it.
class DeviceOnTrial {
 public:
  DeviceOnTrial(const RunConfig& config, const Prospect& job, const NodeShare& share)
      : cap_bytes_{device_cap(config.devices.memory, share)},
        arena_{arena_capacity(static_cast<std::uint64_t>(job.facts.output_channels))},
        host_{host_executor(config.devices.isolation, arena_)} {
    const Clock::time_point begin = Clock::now();
    tell(Open{.config = effective_text(config),
              .config_folder = config.folder.string(),
              .model_digest = job.model_digest,
              .cap_bytes = cap_bytes_,
              .outside_bytes = own_bytes(config.devices.isolation),
              .known = known_calibrations(calibration_folders(), job.model_digest)});
    opened_ = await<Opened>();
    keep_calibration(calibration_folders(), opened_.calibration);
    open_s_ = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  DeviceOnTrial(const DeviceOnTrial&) = delete;
  DeviceOnTrial& operator=(const DeviceOnTrial&) = delete;

  [[nodiscard]] std::uint64_t cap_bytes() const noexcept { return cap_bytes_; }
  [[nodiscard]] const Opened& opened() const noexcept { return opened_; }
  [[nodiscard]] double open_s() const noexcept { return open_s_; }

  /// Multiply-adds a second of all lanes of the node together, with tiles of this core.
  [[nodiscard]] double macs_per_s(Extent core, Border border, int lanes, int workers) {
    tell(TimeTiles{
        .tile = core,
        .lanes = lanes * workers,
        .cap_bytes = (cap_bytes_ - std::min(cap_bytes_, opened_.standing_bytes)) * static_cast<std::uint64_t>(workers),
        .least_ms = 1500});
    const double tiles = await<TilesTimed>().tiles_per_s;
    return tiles * run_macs(opened_.facts.layers, timed_source(opened_.facts.geometry, border, core));
  }

 private:
  template <class Message>
  void tell(Message message) {
    host_->send(std::move(message));
  }
  template <class Answer>
  Answer await() {
    for (;;) {
      std::optional<FromExecutor> message = host_->receive();
      if (!message) {
        if (const std::optional<ExecutorDeath> death = host_->ended()) {
          throw Error{
              fmt::format("the executor died ({}) while it opened the model and made tiles of nothing. What it "
                          "said is above; `pantile doctor` tests the machine.",
                          death->how)};
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        continue;
      }
      if (auto* const answer = std::get_if<Answer>(&*message)) {
        return std::move(*answer);
      }
      if (const auto* const failed = std::get_if<OpenFailed>(&*message)) {
        throw Error{failed->text, static_cast<ExitCode>(failed->code)};
      }
    }
  }

  std::uint64_t cap_bytes_;
  Arena arena_;
  std::unique_ptr<ExecutorHost> host_;
  Opened opened_;
  double open_s_ = 0;
};

/// Classes double in pixels: up to 0.25, 0.5, 1, 2 … MP.
int class_of(std::int64_t px) {
  return static_cast<int>(std::ceil(std::log2(std::max(1.0, static_cast<double>(px) / 0.25e6))));
}

/// What each item costs when it is tiled like that, by the planner's own count.
class Costs {
 public:
  Costs(const Prospect& job, const TileRequest& request, Extent core) : job_{job}, request_{request}, core_{core} {}

  const ItemCost& of(ItemId item) {
    const Extent extent = job_.catalog.extent(item);
    const auto [found, is_new] = known_.try_emplace({extent.height, extent.width});
    if (is_new) {
      found->second = item_cost(request_, extent, core_);
    }
    return found->second;
  }

 private:
  const Prospect& job_;
  const TileRequest& request_;
  Extent core_;
  std::map<std::pair<int, int>, ItemCost> known_;  ///< by extent: archives have few
};

std::uint64_t largest_output_bytes(const Prospect& job) {
  std::int64_t largest_px = 0;
  for (const WorkItem& item : job.work.items()) {
    largest_px = std::max(largest_px, job.output_extent(item.item).area());
  }
  return static_cast<std::uint64_t>(largest_px) * static_cast<std::uint64_t>(job.facts.output_channels);
}

/// All that a device holds beside its tiles and the images that it makes them of.
std::uint64_t standing_bytes(const Prospect& job, const DeviceRequest& device, const MemoryLayout& layout) {
  // Of the arena only what results have lain in is resident: one being made, and one being written.
  const std::uint64_t used = std::min(layout.arena_bytes, 2 * largest_output_bytes(job));
  return device.standing_bytes() - memory_reserve_bytes + layout.shard_bytes + used;
}

/// Images that lie decoded: the one at work and those ahead of it, or parts of one.
std::uint64_t decoded_bytes_ahead(const MemoryLayout& layout, std::int64_t px) {
  return std::min(2 * static_cast<std::uint64_t>(px) * 3, layout.decoded_bytes);
}

std::vector<ResolutionClass> classes_of(const Prospect& job, const DeviceRequest& device, const MemoryLayout& layout,
                                        Costs& costs) {
  std::map<int, ResolutionClass> classes;
  std::map<int, double> macs;
  double all_macs = 0;
  for (const WorkItem& item : job.work.items()) {
    const std::int64_t px = job.catalog.extent(item.item).area();
    ResolutionClass& one = classes[class_of(px)];
    const ItemCost& cost = costs.of(item.item);
    one.max_px = std::max(one.max_px, px);
    one.items += 1;
    one.pixels += static_cast<std::uint64_t>(px);
    one.tiles += cost.tiles;
    one.tile = {std::max(one.tile.height, cost.tile.height), std::max(one.tile.width, cost.tile.width)};
    one.tile_bytes = std::max(one.tile_bytes, cost.lane_bytes);
    macs[class_of(px)] += cost.macs;
    all_macs += cost.macs;
  }
  std::vector<ResolutionClass> listed;
  for (auto& [key, one] : classes) {
    one.time_share = macs[key] / all_macs;
    one.peak_bytes = standing_bytes(job, device, layout) +
                     static_cast<std::uint64_t>(layout.tiles.lanes) * one.tile_bytes +
                     decoded_bytes_ahead(layout, one.max_px);
    listed.push_back(one);
  }
  return listed;
}

std::vector<double> seconds_of(const Prospect& job, Costs& costs, double macs_per_s, int lanes) {
  std::vector<double> seconds;
  seconds.reserve(job.work.items().size());
  for (const WorkItem& item : job.work.items()) {
    const auto px = static_cast<double>(job.catalog.extent(item.item).area());
    seconds.push_back(costs.of(item.item).macs / macs_per_s + px / decoded_px_per_s / lanes);
  }
  return seconds;
}

/// The job on `nodes` nodes like this one, with `workers` workers each.
Prediction predict(const Prospect& job, const RunConfig& config, int ranks, int nodes) {
  const int workers = std::max(1, ranks - 1);
  const NodeShare share = share_here(workers);
  DeviceOnTrial device{config, job, share};
  const std::vector<ExtentClass> extents = job.extent_classes(planned_extents);
  const int lanes = lanes_for(config, share);
  Prediction prediction;
  const DeviceRequest owner{config, device.opened(), extents, lanes};
  const MemoryLayout layout = plan_device(owner, device.cap_bytes());
  prediction.tiles = layout.tiles;
  prediction.device_class = device.opened().device_class;
  prediction.engine = device.opened().engine;
  prediction.nodes = nodes;
  prediction.workers = workers * nodes;
  prediction.cap_bytes = device.cap_bytes();
  const MemoryRequest asked = owner.request(device.cap_bytes());
  const TileRequest& request = asked.tiles;
  Costs costs{job, request, prediction.tiles.core};
  prediction.classes = classes_of(job, owner, layout, costs);
  for (const ResolutionClass& one : prediction.classes) {
    prediction.peak_bytes = std::max(prediction.peak_bytes, one.peak_bytes);
  }
  const Extent timed{std::min(prediction.tiles.core.height, prediction.classes.back().tile.height),
                     std::min(prediction.tiles.core.width, prediction.classes.back().tile.width)};
  const double node_macs_per_s = device.macs_per_s(timed, job.border, prediction.tiles.lanes, workers);
  if (node_macs_per_s <= 0) {
    throw Error{
        "the tiles of the plan cannot be made on this machine (the engine refused them). Try `pantile doctor`."};
  }
  const std::vector<double> seconds = seconds_of(job, costs, node_macs_per_s / workers, prediction.tiles.lanes);
  const std::vector<double> speeds(static_cast<std::size_t>(prediction.workers), 1.0);
  const double work_s = forecast(job.work, seconds, speeds, scheduler_settings(job, prediction.workers)).makespan_s;
  prediction.fixed_s = device.open_s() + finish_s + (ranks > 1 ? launch_s : 0);
  const double all_s = prediction.fixed_s + work_s;
  prediction.time = {all_s * faster, all_s, all_s * slower};
  return prediction;
}

RunConfig with_cap(RunConfig config, const std::string& cap) {
  const std::string text = effective_text(config);
  return parse_config(text, "--what-if", config.folder, {"devices.memory.cap=" + cap});
}

}  // namespace

WhatIf parse_what_if(const std::string& text) {
  const auto refuse = [&](const std::string& why) {
    throw UsageError{fmt::format("--what-if {}: {}. As in --what-if nodes=4,cap=2GiB", text, why)};
  };
  WhatIf what_if;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string key = part.substr(0, equals);
    const std::string value = equals < part.size() ? part.substr(equals + 1) : "";
    if (key == "cap" && !value.empty()) {
      what_if.cap = value;
    } else if (key == "nodes") {
      const bool is_number = !value.empty() && value.size() <= 5 && value.find_first_not_of("0123456789") == value.npos;
      what_if.nodes = is_number ? std::stoi(value) : 0;
      if (what_if.nodes < 1) {
        refuse("nodes is a whole number from 1 on");
      }
    } else if (key == "gpus") {
      refuse("this version computes on CPUs only, so it cannot tell how fast a GPU would be");
    } else {
      refuse(fmt::format("'{}' is neither nodes=N nor cap=SIZE", part));
    }
    begin = end + 1;
  }
  return what_if;
}

JobPlan plan_job(const RunConfig& config, const Start& start, int ranks, const std::vector<WhatIf>& asked) {
  JobPlan plan;
  plan.job = survey_job(config, start);
  plan.disk_bytes = results_bytes(plan.job);
  plan.free_bytes = free_bytes_at(config.output.dir.resolved);
  if (plan.job.work.items().empty()) {
    return plan;
  }
  plan.here = predict(plan.job, config, ranks, 1);
  for (const WhatIf& one : asked) {
    plan.what_if.push_back(predict(plan.job, one.cap ? with_cap(config, *one.cap) : config, ranks, one.nodes));
  }
  return plan;
}

}  // namespace pantile
