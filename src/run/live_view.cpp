#include "run/live_view.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <system_error>

#include "base/log.hpp"

namespace pantile {

LiveView::LiveView(const Job& job, int ranks) : job_{job} {
  live_.state = RunState::starting;
  live_.run = job.config.name;
  live_.items = job.catalog.size();
  live_.pixels = job.pixels;
  live_.pixels_before = job.pixels - job.pixels_left;
  live_.started = std::chrono::system_clock::now();
  live_.pid = ::getpid();
  live_.host = host_name();
  live_.epoch = index(job.journal.epoch());
  live_.plan_id = to_string(job.plan_id());
  live_.ranks = static_cast<std::uint32_t>(ranks);
}

void LiveView::refresh(const Scheduler& scheduler, const RankBook& ranks, double now_s) {
  const SchedulerProgress progress = scheduler.progress(now_s);
  live_.updated = std::chrono::system_clock::now();
  live_.done = job_.state.done_items();
  live_.quarantined = job_.state.quarantine().size();
  live_.running = progress.count(ItemState::running);
  live_.computed = progress.count(ItemState::computed) + progress.count(ItemState::sealing);
  live_.pixels_done = live_.pixels - std::min(live_.pixels, progress.px_left);
  rate_.add(std::chrono::steady_clock::now(), live_.pixels_done);
  live_.pixels_per_s = rate_.pixels_per_s();
  live_.eta_s =
      std::isfinite(progress.remaining_s) ? std::optional{progress.remaining_s} : rate_.eta_s(progress.px_left);
  if (live_.state == RunState::waiting_for_space) {
    live_.eta_s.reset();  // Nobody can tell.
  }
  live_.devices.clear();
  for (const RankView& view : scheduler.ranks()) {
    const auto found = ranks.find(view.rank);
    if (found == ranks.end() || !found->second.ready || found->second.gone) {
      continue;
    }
    const RankFacts& rank = found->second;
    live_.devices.push_back(
        {.name = rank.ready->device,
         .cap_bytes = rank.beat.memory.cap,
         .predicted_bytes = rank.beat.memory.predicted,
         .used_bytes = rank.beat.memory.used,
         .peak_bytes = rank.beat.memory.peak,
         .others_bytes = rank.beat.memory.others,
         .lanes = rank.ready->lanes,
         .utilisation = rank.beat.utilisation,
         .pixels_per_s = view.px_per_s,
         .doing = view.running.empty() ? std::string{} : std::string{job_.catalog.path(view.running.front())}});
  }
}

void LiveView::write() const {
  try {
    write_live(job_.folder.layout().live(), live_);
  } catch (const Error& error) {
    log::debug("live.json: {}", error.what());
    // Who waits for a sign of life has this one: it takes no room.
    std::error_code ignored;
    std::filesystem::last_write_time(job_.folder.layout().live(), std::filesystem::file_time_type::clock::now(),
                                     ignored);
  }
}

}  // namespace pantile
