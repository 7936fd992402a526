#include "run/slurm_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/byte_size.hpp"
#include "run/short_command.hpp"

namespace pantile {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

/// The number that a text begins with: sinfo writes "8+" where nodes differ.
std::optional<std::int64_t> leading_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && number >= 0 ? std::optional{number} : std::nullopt;
}

/// "gpu:a100:4(S:0-1),nvme:1", "gpu:2", "(null)".
int gpus_of(std::string_view resources) {
  int gpus = 0;
  for (std::string_view one : split(resources, ',')) {
    one = one.substr(0, one.find('('));
    if (one.starts_with("gpu:")) {
      gpus += static_cast<int>(leading_number(one.substr(one.rfind(':') + 1)).value_or(0));
    }
  }
  return gpus;
}

void merge(QueueNodes& queue, const QueueNodes& kind) {
  queue.count += kind.count;
  queue.cores = std::min(queue.cores, kind.cores);
  queue.memory_bytes = std::min(queue.memory_bytes, kind.memory_bytes);
  queue.gpus = std::min(queue.gpus, kind.gpus);
}

}  // namespace

std::optional<std::chrono::seconds> parse_slurm_time(std::string_view text) {
  const std::size_t dash = text.find('-');
  const bool has_days = dash != std::string_view::npos;
  const std::int64_t days = has_days ? leading_number(text.substr(0, dash)).value_or(0) : 0;
  std::vector<std::int64_t> parts;
  for (const std::string_view part : split(has_days ? text.substr(dash + 1) : text, ':')) {
    const auto number = leading_number(part);
    if (!number) {
      return std::nullopt;
    }
    parts.push_back(*number);
  }
  // "hours[:minutes[:seconds]]" behind days, else "minutes[:seconds]" or "hours:minutes:seconds".
  const bool from_hours = has_days || parts.size() == 3;
  parts.insert(parts.begin(), from_hours ? 0 : 1, 0);
  parts.resize(3, 0);
  return std::chrono::hours{24 * days + parts[0]} + std::chrono::minutes{parts[1]} + std::chrono::seconds{parts[2]};
}

std::string slurm_time(std::chrono::seconds time) {
  const std::int64_t s = time.count();
  const std::string clock = fmt::format("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
  return s < 86400 ? clock : fmt::format("{}-{}", s / 86400, clock);
}

std::vector<SlurmQueue> parse_queues(std::string_view text) {
  std::vector<SlurmQueue> queues;
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, '|');
    if (fields.size() != 7 || fields[6] != "up") {
      continue;
    }
    SlurmQueue queue{std::string{fields[0]}, fields[0].ends_with('*'), {}};
    if (queue.is_default) {
      queue.name.pop_back();
    }
    queue.nodes = {.count = static_cast<int>(leading_number(fields[1]).value_or(1)),
                   .cores = static_cast<int>(leading_number(fields[2]).value_or(1)),
                   .memory_bytes = static_cast<std::uint64_t>(leading_number(fields[3]).value_or(0)) * MiB,
                   .gpus = gpus_of(fields[4]),
                   .longest = parse_slurm_time(fields[5])};
    const auto known =
        std::find_if(queues.begin(), queues.end(), [&](const SlurmQueue& one) { return one.name == queue.name; });
    if (known == queues.end()) {
      queues.push_back(std::move(queue));
    } else {
      merge(known->nodes, queue.nodes);
    }
  }
  return queues;
}

std::vector<SlurmQueue> slurm_queues() {
  const ShortCommand asked = run_short_command({"sinfo", "-h", "-o", "%P|%D|%c|%m|%G|%l|%a"}, std::chrono::seconds{10});
  return asked.code == 0 ? parse_queues(asked.output) : std::vector<SlurmQueue>{};
}

}  // namespace pantile
