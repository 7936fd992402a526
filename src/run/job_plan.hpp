#pragma once
// What a run would do, and how long and how much memory that would take: the planner and the scheduler of `run`, fed
// with measurements of an executor on this machine. Nothing is written.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "plan/tile_planner.hpp"
#include "run/job.hpp"

namespace pantile {

/// What if there were more nodes like this one, or another cap?
struct WhatIf {
  int nodes = 1;
  std::optional<std::string> cap;  ///< as devices.memory.cap
};
/// "nodes=4,cap=2GiB". Throws UsageError if it makes no sense, or asks for what this version cannot predict.
[[nodiscard]] WhatIf parse_what_if(const std::string& text);

/// Items of about one size, and what they come to.
struct ResolutionClass {
  std::int64_t max_px = 0;  ///< input pixels of the largest
  std::uint64_t items = 0;
  std::uint64_t pixels = 0;
  std::uint64_t tiles = 0;
  Extent tile;                   ///< core of the largest tile, without halo
  std::uint64_t tile_bytes = 0;  ///< of its most demanding tile, on one lane
  std::uint64_t peak_bytes = 0;  ///< of a device while it makes them, all included
  double time_share = 0;         ///< of the compute time of all
};

struct Duration {
  double low_s = 0;
  double likely_s = 0;
  double high_s = 0;
};

/// One way to run the job.
struct Prediction {
  std::string device_class{};
  std::string engine{};
  int nodes = 1;
  int workers = 1;              ///< on all nodes together
  std::uint64_t cap_bytes = 0;  ///< of each device
  TilePlan tiles;
  std::vector<ResolutionClass> classes;  ///< the smallest first
  std::uint64_t peak_bytes = 0;          ///< of a device
  Duration time;                         ///< from the command until its end
  double fixed_s = 0;                    ///< of `time.likely_s`: what more devices do not shorten
};

struct JobPlan {
  Prospect job;
  Prediction here;  ///< meaningful if there is work
  std::vector<Prediction> what_if;
  std::uint64_t disk_bytes = 0;             ///< of the results still to be written
  std::optional<std::uint64_t> free_bytes;  ///< where they go, if that can be told
};

/// `ranks` as `run --ranks` has it. Opens the model on a device of this machine and times its tiles for about two
/// seconds; nothing of that if there is no work. Throws as survey_job() and a worker do: UsageError for what a person
/// must mend.
[[nodiscard]] JobPlan plan_job(const RunConfig& config, const Start& start, int ranks,
                               const std::vector<WhatIf>& asked);

}  // namespace pantile
