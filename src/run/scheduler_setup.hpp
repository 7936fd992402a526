#pragma once
// What a job tells the scheduler.

#include <cstdint>
#include <optional>
#include <string>

#include "plan/scheduler.hpp"
#include "run/job.hpp"

namespace pantile {

/// For a world of so many workers.
[[nodiscard]] SchedulerSettings scheduler_settings(const Prospect& job, int workers);

/// How many more items may go into quarantine; nothing if there are too many of them already.
[[nodiscard]] std::optional<std::uint64_t> quarantine_left(const Prospect& job);

/// What to say when there are too many. Precondition: there is one.
[[nodiscard]] std::string too_many_quarantined(const Job& job);

}  // namespace pantile
