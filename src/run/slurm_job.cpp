#include "run/slurm_job.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/log.hpp"
#include "run/short_command.hpp"

namespace pantile {
namespace {

constexpr std::chrono::seconds patience{5};

/// A preemption, or a node that dies, may come before the first shard is sealed; five times in a row it is no chance.
constexpr std::uint32_t most_starts_in_vain = 5;

std::optional<WallTime> seconds_since_epoch(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return error == std::errc{} && end == text.data() + text.size() && seconds > 0
             ? std::optional{WallTime{std::chrono::seconds{seconds}}}
             : std::nullopt;
}

/// "2026-11-21T17:05:00", local time, as squeue prints it; nothing for "N/A" and the like.
std::optional<WallTime> local_time(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) {
    return std::nullopt;
  }
  parts.tm_isdst = -1;
  return std::chrono::system_clock::from_time_t(std::mktime(&parts));
}

}  // namespace

std::string slurm_job_name() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string{value != nullptr ? value : ""};
  };
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  const std::string task = variable("SLURM_ARRAY_TASK_ID");
  return array.empty() || task.empty() ? variable("SLURM_JOB_ID") : fmt::format("{}_{}", array, task);
}

std::optional<WallTime> end_of_slurm_job() {
  if (const char* const given = std::getenv("SLURM_JOB_END_TIME"); given != nullptr) {
    return seconds_since_epoch(given);
  }
  const std::string job = slurm_job_name();
  if (job.empty()) {
    return std::nullopt;
  }
  const ShortCommand asked = run_short_command({"squeue", "-h", "-j", job, "-o", "%e"}, patience);
  if (asked.code != 0) {
    log::debug("squeue does not say when this Slurm job ends (exit {})", asked.code);
    return std::nullopt;
  }
  return local_time(asked.output);
}

bool is_in_requeuable_job() {
  const std::string job = slurm_job_name();
  if (job.empty()) {
    return false;
  }
  const ShortCommand asked = run_short_command({"scontrol", "-o", "show", "job", job}, patience);
  return asked.output.find(" Requeue=1 ") != std::string::npos &&
         asked.output.find(" BatchFlag=1 ") != std::string::npos;
}

bool keep_slurm_job_from_requeue() {
  if (!is_in_requeuable_job()) {
    return false;
  }
  return run_short_command({"scontrol", "update", "JobId=" + slurm_job_name(), "Requeue=0"}, patience).code == 0;
}

void expect_requeues_to_help(std::uint32_t starts_in_vain) {
  const char* const text = std::getenv("SLURM_RESTART_COUNT");
  const std::string_view given = text != nullptr ? text : "";
  std::uint32_t restarts = 0;
  std::from_chars(given.data(), given.data() + given.size(), restarts);
  if (restarts >= most_starts_in_vain && starts_in_vain >= most_starts_in_vain) {
    throw Error{
        fmt::format("the last {} starts of this run have committed nothing, and Slurm has queued this job again {} "
                    "times: giving up. "
                    "What was committed before is safe. See why in the job's log, then submit it anew.",
                    starts_in_vain, restarts)};
  }
}

}  // namespace pantile
