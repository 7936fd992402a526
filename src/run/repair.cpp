#include "run/repair.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/log.hpp"
#include "config/config.hpp"
#include "report/live.hpp"
#include "run/job_inputs.hpp"
#include "run/launch.hpp"
#include "store/mend.hpp"
#include "store/run_folder.hpp"

namespace pantile {
namespace {

/// Whatever the config calls it, the run is where it was found: the folder may have moved.
RunConfig config_of(const std::string& text, const std::string& folder, const RunLayout& layout) {
  RunConfig config = parse_config(text, "the run's config", folder);
  config.output.dir.resolved = std::filesystem::absolute(layout.root);
  return config;
}

/// The journal may have lost the record of it.
bool has_ended(const RunLayout& layout, const VerifyReport& found) {
  const std::optional<LiveState> live = read_live(layout.live());
  return found.ended_once || (live && live->state == RunState::done);
}

/// With no lock: the run takes it.
void make_again(const Mended& mended, const RunLayout& layout, bool shows_progress, Repair& repair) {
  const std::string count = fmt::format("{} item{}", mended.pending, mended.pending == 1 ? "" : "s");
  try {
    const ExitCode code = run_in_process({.config = config_of(mended.config, mended.config_folder, layout),
                                          .start = {},
                                          .texts = {.job = "JOB", .run_folder = layout.root.string()},
                                          .time_limit = {},
                                          .started = std::chrono::system_clock::now(),
                                          .shows_progress = shows_progress});
    repair.stopped = code == ExitCode::stopped;
    if (code == ExitCode::done || code == ExitCode::quarantined) {
      repair.done.push_back(count + (mended.pending == 1 ? " is made again" : " are made again"));
    } else if (!repair.stopped) {
      repair.why_not = fmt::format("{} could not be made again: the run failed, as said above", count);
    }
  } catch (const Error& error) {
    repair.why_not = fmt::format("{} could not be made again: {}", count, error.what());
  }
}

}  // namespace

Repair repair_run(const RunLayout& layout, bool shows_progress, const VerifyProgress& progress) {
  Repair repair;
  Mended mended;
  bool had_ended = false;
  {
    RunFolder folder = RunFolder::open(layout.root);
    repair.before = verify_run(layout, progress, Writers::none);
    if (repair.before.problems.empty()) {
      repair.after = repair.before;
      return repair;
    }
    had_ended = has_ended(layout, repair.before);
    mended = mend_run(folder, repair.before,
                      {.time = iso_time(std::chrono::system_clock::now()),
                       .had_ended = had_ended,
                       .list_inputs = [&](const std::string& config, const std::string& config_folder) {
                         return new_catalog(config_of(config, config_folder, layout), probe_on_this_machine);
                       }});
  }
  repair.done = std::move(mended.done);
  for (const std::string& sentence : repair.done) {
    log::info("{}", sentence);
  }
  if (mended.pending > 0 && had_ended) {
    make_again(mended, layout, shows_progress, repair);
  } else if (mended.pending > 0) {
    repair.why_not = fmt::format("{} items are not done, and the run had not ended: `pantile run JOB` goes on with it",
                                 mended.pending);
  }
  repair.after = verify_run(layout, progress);
  return repair;
}

}  // namespace pantile
