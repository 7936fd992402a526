#include "run/scheduler_setup.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pantile {

std::optional<std::uint64_t> quarantine_left(const Prospect& job) {
  const std::uint64_t most = job.config.on_error.max_quarantine.of(job.catalog.size());
  const std::uint64_t before = job.state.quarantine().size();
  return before <= most ? std::optional{most - before} : std::nullopt;
}

std::string too_many_quarantined(const Job& job) {
  const auto& [item, quarantined] = *job.state.quarantine().begin();
  return fmt::format(
      "{} of {} items are in quarantine, and on_error.max_quarantine allows {}: the run has stopped; what is done is "
      "kept. The first of them: {}: {}. All are in {}. Mend them and go on with --retry-failed, or allow more.",
      job.state.quarantine().size(), job.catalog.size(), job.config.on_error.max_quarantine.of(job.catalog.size()),
      job.catalog.path(item), quarantined.failure.detail, job.folder.layout().quarantine().string());
}

SchedulerSettings scheduler_settings(const Prospect& job, int workers) {
  const RunConfig& config = job.config;
  // Slow storage that all ranks seal to at the end: no shard is taken for lost while each still gets its turn.
  constexpr double slowest_bytes_per_s = 20e6;
  SchedulerSettings settings;
  settings.seal_timeout_s =
      std::max(settings.seal_timeout_s, workers * static_cast<double>(config.output.shard_size) / slowest_bytes_per_s);
  if (!job.work.items().empty()) {
    const WorkItem& item = job.work.items().front();
    const double bytes_per_px = static_cast<double>(job.output_extent(item.item).area()) * job.facts.output_channels /
                                static_cast<double>(std::max<std::uint64_t>(1, item.cost_px));
    constexpr double shared_bytes_per_s = 100e6;  // of one rank among others on one storage
    settings.seal_px_per_s = shared_bytes_per_s / std::max(1e-3, bytes_per_px);
  }
  settings.expected_ranks = static_cast<std::uint32_t>(workers);
  settings.retries = static_cast<std::uint32_t>(config.on_error.retries);
  settings.policy = config.schedule.policy;
  settings.max_quarantine = quarantine_left(job).value_or(0);
  return settings;
}

}  // namespace pantile
