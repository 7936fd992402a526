#include "run/space_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "base/wire.hpp"
#include "config/scalars.hpp"
#include "run/disk_needs.hpp"

namespace pantile {
namespace {

constexpr double look_each_s = 1;
constexpr double shortest_gap_s = 0.02;  // statvfs takes a microsecond here, and milliseconds on a busy Lustre

/// Takes room for a whole file; where the file system cannot do that, by writing zeros, but not more than `most`.
void fill(DiskFile& file, std::uint64_t bytes, std::uint64_t most) {
  if (file.reserve(0, bytes)) {
    return;
  }
  const Bytes zeros(MiB);
  for (std::uint64_t at = 0; at < std::min(bytes, most); at += zeros.size()) {
    file.write(at, std::span{zeros}.first(std::min<std::uint64_t>(zeros.size(), bytes - at)));
  }
}

}  // namespace

SpaceKeeper::SpaceKeeper(const Job& job, int workers, Disk& disk)
    : job_{job},
      disk_{disk},
      watch_{job.config.output.wait_for_space},
      workers_{static_cast<std::uint64_t>(std::max(1, workers))},
      reserve_bytes_{reserve_bytes(job)} {
  if (job.work.items().empty()) {
    return;
  }
  bytes_per_px_ =
      static_cast<double>(results_bytes(job)) / static_cast<double>(std::max<std::uint64_t>(1, job.pixels_left));
  for (const WorkItem& item : job.work.items()) {
    largest_item_ = std::max(largest_item_, job.output_bytes(item.item));
  }
  set_aside();
}

void SpaceKeeper::set_aside() {
  const std::filesystem::path path = job_.folder.layout().reserve();
  try {
    fill(*disk_.open(path, Access::replace), reserve_bytes_, reserve_bytes_);
    is_set_aside_ = true;
  } catch (const Error& error) {
    log::debug("no room is set aside: {}", error.what());
    try_to_remove(disk_, path);
  }
}

void SpaceKeeper::give_back() {
  try_to_remove(disk_, job_.folder.layout().reserve());
  is_set_aside_ = false;
}

SpaceNeeds SpaceKeeper::needs(const Scheduler& scheduler, double now_s) const {
  SpaceNeeds needs{.unit = largest_item_, .reserve = is_set_aside_ ? 0 : reserve_bytes_, .workers = workers_};
  for (const RankView& rank : scheduler.ranks()) {
    std::uint64_t bytes = 0;
    for (const ItemId item : rank.running) {
      bytes += job_.output_bytes(item);
    }
    needs.in_flight += bytes;
    needs.unit = std::max(needs.unit, bytes / 2);  // small items come in units of many
  }
  needs.left = static_cast<std::uint64_t>(bytes_per_px_ * static_cast<double>(scheduler.progress(now_s).px_left));
  return needs;
}

std::optional<SpaceKeeper::Change> SpaceKeeper::look(const Scheduler& scheduler, double now_s) {
  const bool is_urgent = handed_out_ > free_ / 4 && now_s >= next_look_s_ - look_each_s + shortest_gap_s;
  if (now_s < next_look_s_ && !is_urgent) {
    return std::nullopt;
  }
  next_look_s_ = now_s + look_each_s;
  handed_out_ = 0;
  const SpaceNeeds needs = this->needs(scheduler, now_s);
  const Space before = watch_.space();
  try {
    free_ = disk_.free_bytes(job_.folder.layout().shards());
    watch_.look(free_, needs, now_s, [&] { return can_write(needs.enough()); });
  } catch (const Error& error) {
    log::debug("{}", error.what());  // It may be away for a moment. Who writes will tell.
  }
  if (before != Space::enough && watch_.space() == Space::enough && !is_set_aside_) {
    set_aside();
  }
  return tell(needs, now_s);
}

std::optional<SpaceKeeper::Change> SpaceKeeper::lost_a_shard(int number, const Scheduler& scheduler, double now_s) {
  number_ = number;
  watch_.lost_a_shard(now_s);
  try {
    free_ = disk_.free_bytes(job_.folder.layout().shards());
  } catch (const Error&) {
    free_ = 0;
  }
  return tell(needs(scheduler, now_s), now_s);
}

/// Quotas and a disk that has become read-only are not in the figure of free space: a file of a few megabytes is tried.
bool SpaceKeeper::can_write(std::uint64_t bytes) {
  const std::filesystem::path path = job_.folder.layout().probe();
  try {
    const auto file = disk_.open(path, Access::replace);
    fill(*file, bytes, MiB);
    file->write(0, Bytes(4 * KiB));
    file->sync();
  } catch (const Error& error) {
    try_to_remove(disk_, path);
    log::debug("the disk does not take a file of {} yet: {}", format_byte_size(bytes), error.what());
    return false;
  }
  try_to_remove(disk_, path);
  return true;
}

std::optional<SpaceKeeper::Change> SpaceKeeper::tell(const SpaceNeeds& needs, double now_s) {
  const bool is_over = watch_.has_given_up();
  const std::optional<SpaceWatch::News> news = watch_.news(now_s);
  if (!news || is_over) {
    return news ? std::optional{Change{news->space, false, {}}} : std::nullopt;
  }
  const std::string folder = job_.folder.layout().root.string();
  const std::string free = format_byte_size(free_);
  if (news->space == Space::enough) {
    return Change{news->space, false, fmt::format("there is room again in {}: {} free; the run goes on", folder, free)};
  }
  const std::string what = news->space == Space::low ? fmt::format("the disk of {} is nearly full", folder)
                           : number_ == ENOSPC
                               ? fmt::format("the disk of {} is full", folder)
                               : fmt::format("the disk of {} takes no more ({})", folder, std::strerror(number_));
  const std::string figures = fmt::format("{}: {} free, about {} needed", what, free, format_byte_size(needs.enough()));
  if (news->gives_up) {
    return Change{news->space, true,
                  fmt::format("{}, and output.wait_for_space is {}. What is committed is kept. Free some space and run "
                              "it again.",
                              figures, duration_text(job_.config.output.wait_for_space))};
  }
  return Change{news->space, false, fmt::format("{}; the run waits. Free some space, it goes on by itself", figures)};
}

}  // namespace pantile
