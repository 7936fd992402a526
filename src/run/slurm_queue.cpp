#include "run/slurm_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

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

/// Where RealMemory is not configured Slurm says 1 MB, and would hold jobs to it if they asked for any.
constexpr std::uint64_t least_known_memory = 256 * MiB;

/// "idle", "mix", "alloc~"; but "down*", "drng", "idle*" (does not answer) get no job.
bool gets_jobs(std::string_view state) {
  constexpr std::array<std::string_view, 6> off{"down", "dr", "fail", "unk", "err", "inval"};
  return !state.ends_with('*') &&
         std::none_of(off.begin(), off.end(), [&](std::string_view start) { return state.starts_with(start); });
}

/// One line: nodes that are alike.
struct Kind {
  SlurmQueue queue;
  bool is_up = false;
};

/// "1-infinite", "1-4", "2".
std::optional<int> largest_job(std::string_view sizes) {
  const auto most = leading_number(sizes.substr(sizes.find('-') + 1));
  return most ? std::optional{static_cast<int>(*most)} : std::nullopt;
}

std::optional<Kind> kind_of(std::string_view line) {
  const auto fields = split(line, '|');
  if (fields.size() != 9 || fields[6] != "up") {
    return std::nullopt;
  }
  SlurmQueue queue{std::string{fields[0]}, fields[0].ends_with('*'), {}, {}};
  if (queue.is_default) {
    queue.name.pop_back();
  }
  const std::uint64_t memory = static_cast<std::uint64_t>(leading_number(fields[3]).value_or(0)) * MiB;
  queue.nodes = {.count = static_cast<int>(leading_number(fields[1]).value_or(1)),
                 .cores = static_cast<int>(leading_number(fields[2]).value_or(1)),
                 .memory_bytes = memory < least_known_memory ? 0 : memory,
                 .gpus = gpus_of(fields[4]),
                 .longest = parse_slurm_time(fields[5])};
  // "64+": some have more.
  const auto exact = [&](std::size_t at, auto value) {
    return fields[at].ends_with('+') ? std::nullopt : std::optional{value};
  };
  queue.most = {.nodes = largest_job(fields[7]),
                .cores = exact(2, queue.nodes.cores),
                .memory_bytes = queue.nodes.memory_bytes == 0 ? std::nullopt : exact(3, queue.nodes.memory_bytes),
                .gpus = exact(4, queue.nodes.gpus),
                .time = queue.nodes.longest};
  return Kind{std::move(queue), gets_jobs(fields[8])};
}

template <class Number>
std::optional<Number> larger(std::optional<Number> one, std::optional<Number> other) {
  return one && other ? std::optional{std::max(*one, *other)} : std::nullopt;
}

/// All kinds of one queue: the weakest of those that are up, and what the strongest of all would allow.
SlurmQueue merged(const std::vector<Kind>& kinds) {
  SlurmQueue queue = kinds.front().queue;
  int all = 0;
  for (const Kind& kind : kinds) {
    all += kind.queue.nodes.count;
    queue.most.cores = larger(queue.most.cores, kind.queue.most.cores);
    queue.most.memory_bytes = larger(queue.most.memory_bytes, kind.queue.most.memory_bytes);
    queue.most.gpus = larger(queue.most.gpus, kind.queue.most.gpus);
  }
  const bool any_up = std::any_of(kinds.begin(), kinds.end(), [](const Kind& kind) { return kind.is_up; });
  std::optional<QueueNodes> nodes;
  for (const Kind& kind : kinds) {
    const QueueNodes& one = kind.queue.nodes;
    if (any_up && !kind.is_up) {
      continue;
    }
    if (!nodes) {
      nodes = one;
      continue;
    }
    nodes->count += one.count;
    nodes->cores = std::min(nodes->cores, one.cores);
    nodes->memory_bytes = std::min(nodes->memory_bytes, one.memory_bytes);
    nodes->gpus = std::min(nodes->gpus, one.gpus);
  }
  queue.nodes = *nodes;
  queue.most.nodes = std::min(all, queue.most.nodes.value_or(all));
  queue.nodes.count = std::min(queue.nodes.count, *queue.most.nodes);
  return queue;
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
  std::vector<std::vector<Kind>> queues;
  for (const std::string_view line : split(text, '\n')) {
    std::optional<Kind> kind = kind_of(line);
    if (!kind) {
      continue;
    }
    const auto known = std::find_if(queues.begin(), queues.end(), [&](const std::vector<Kind>& kinds) {
      return kinds.front().queue.name == kind->queue.name;
    });
    if (known == queues.end()) {
      queues.push_back({*std::move(kind)});
    } else {
      known->push_back(*std::move(kind));
    }
  }
  std::vector<SlurmQueue> all;
  std::transform(queues.begin(), queues.end(), std::back_inserter(all), merged);
  return all;
}

std::vector<SlurmQueue> slurm_queues() {
  const ShortCommand asked =
      run_short_command({"sinfo", "-h", "-e", "-o", "%P|%D|%c|%m|%G|%l|%a|%s|%t"}, std::chrono::seconds{10});
  return asked.code == 0 ? parse_queues(asked.output) : std::vector<SlurmQueue>{};
}

}  // namespace pantile
