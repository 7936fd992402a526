#include "run/deadline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "run/lifeline.hpp"
#include "run/slurm_job.hpp"

namespace pantile {
namespace {

constexpr std::chrono::seconds behind_us{10};

}  // namespace

std::optional<WallTime> end_of_run(std::optional<std::chrono::milliseconds> time_limit, WallTime started) {
  if (const char* const passed_on = std::getenv(end_variable);
      passed_on != nullptr && std::getenv(supervised_variable) != nullptr) {
    std::int64_t ms = 0;
    const std::string_view text = passed_on;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    return error == std::errc{} && ms > 0 ? std::optional{WallTime{std::chrono::milliseconds{ms}}} : std::nullopt;
  }
  std::optional<WallTime> end = time_limit ? std::optional{started + *time_limit} : std::nullopt;
  if (const std::optional<WallTime> slurm = end_of_slurm_job()) {
    end = std::min(end.value_or(WallTime::max()), *slurm - behind_us);
  }
  return end;
}

void pass_on_end(WallTime ends_at) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(ends_at.time_since_epoch()).count();
  ::setenv(end_variable, std::to_string(ms).c_str(), 1);
}

double seconds_until_deadline(WallTime ends_at, const Job& job) {
  // The index is made of the shards' own, one after the other: milliseconds each.
  constexpr double index_s_a_shard = 0.005;
  const double left_s = std::chrono::duration<double>(ends_at - std::chrono::system_clock::now()).count();
  return left_s - index_s_a_shard * static_cast<double>(job.state.shards().size());
}

void tell_time_is_up(const TimeIsUp& told, const Catalog& catalog) {
  log::info("nothing more fits before the time limit: {} item{} left for the next run", told.items_left,
            told.items_left == 1 ? " is" : "s are");
  if (told.needs_s == 0) {
    log::warn("not one item could be computed before the time limit. Give the run more time.");
  } else if (told.needs_s > told.leaves_s) {
    log::warn(
        "{} needs about {:.0f} s, the limit leaves {:.0f} s: no run as short as this will get it done. Give the "
        "run more time.",
        catalog.path(told.largest), told.needs_s, told.leaves_s);
  }
}

}  // namespace pantile
