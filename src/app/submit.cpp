// `pantile submit`: a job into the queue of a Slurm cluster, by the batch scripts of slurm/, once all that can be
// checked before it starts is checked.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "app/batch_script.hpp"
#include "app/commands.hpp"
#include "app/job_file.hpp"
#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "device/cpu.hpp"
#include "plan/allotment.hpp"
#include "report/live.hpp"
#include "report/progress_words.hpp"
#include "run/job_plan.hpp"
#include "run/short_command.hpp"
#include "run/slurm_queue.hpp"
#include "store/folder_lock.hpp"

namespace pantile::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* no_slurm =
    "no Slurm cluster answers here (sinfo). Submit on a login node of one; --dry-run prints the script all the same.";

/// What stands in the way of the run as soon as it starts is said now, not after a night in the queue.
void expect_startable(const JobPlan& plan, const RunLayout& layout) {
  if (const auto owner = owner_of(layout)) {
    throw UsageError{
        fmt::format("{} belongs to {}: that run goes on. To give it more nodes: pantile ctl {} drain, and submit again "
                    "when it has ended.",
                    shown(layout.root), to_string(*owner), shown(layout.root))};
  }
  if (plan.free_bytes && *plan.free_bytes < plan.disk_bytes) {
    throw UsageError{fmt::format(
        "the results need {} and only {} are free in {}: the run would stop half-way. Make room, or name another place "
        "with --output.",
        format_byte_size(plan.disk_bytes), format_byte_size(*plan.free_bytes), shown(layout.root))};
  }
}

/// Nodes have /tmp and /dev/shm of their own.
void warn_of_local_folders(const fs::path& job, const RunConfig& config) {
  std::vector<fs::path> paths{fs::absolute(job), config.output.dir.resolved, config.pipeline.front().model.resolved};
  for (const InputConfig& input : config.input) {
    paths.push_back(input.path.resolved);
  }
  for (const fs::path& path : paths) {
    for (const char* const local : {"/tmp/", "/dev/shm/", "/run/"}) {
      if (path.lexically_normal().string().starts_with(local)) {
        log::warn("{} is on this machine only, on most clusters: the nodes would not find it", path.string());
      }
    }
  }
}

std::optional<SlurmQueue> chosen_queue(const SubmitCommand& command) {
  const std::vector<SlurmQueue> queues = slurm_queues();
  if (queues.empty()) {
    if (!command.dry_run) {
      throw UsageError{no_slurm};
    }
    log::warn("no Slurm cluster answers here (sinfo): this machine stands for a node");
    return std::nullopt;
  }
  const auto found = std::find_if(queues.begin(), queues.end(), [&](const SlurmQueue& queue) {
    return command.partition.empty() ? queue.is_default : queue.name == command.partition;
  });
  if (found != queues.end()) {
    return *found;
  }
  std::string names;
  for (const SlurmQueue& queue : queues) {
    names += (names.empty() ? "" : ", ") + queue.name;
  }
  throw UsageError{command.partition.empty()
                       ? fmt::format("this cluster has no default partition. Name one with --partition: {}", names)
                       : fmt::format("there is no partition {} that is up. There are: {}", command.partition, names)};
}

/// A script and what is asked of it must be of one kind: each template counts on its own lines.
void expect_fitting_template(const SubmitCommand& command) {
  const bool wants_array = command.parts > 0;
  if (!command.script.empty() && wants_array != (command.script == "array")) {
    throw UsageError{
        wants_array
            ? fmt::format("--array makes jobs by the template array, not {}. Leave --template out.", command.script)
            : "--template array wants --array N: how many parts to make."};
  }
  if ((command.script == "gpu" || command.script == "mixed") && command.gpus == 0) {
    throw UsageError{fmt::format("--template {} wants --gpus N: how many each node gives.", command.script)};
  }
  if (command.gpus > 0 && (wants_array || command.script == "cpu")) {
    throw UsageError{fmt::format("--gpus wants the template gpu or mixed, not {}.", wants_array ? "array" : "cpu")};
  }
  for (const std::string& option : command.sbatch) {
    const bool is_text =
        std::none_of(option.begin(), option.end(), [](unsigned char c) { return c < ' ' || c == 127; });
    if (!option.starts_with('-') || !is_text) {
      throw UsageError{
          fmt::format("--sbatch={}: not an option of sbatch. Write --sbatch=--account=lab, once for each.", option)};
    }
  }
}

/// What a cluster would leave in its queue for ever is said now.
void expect_to_start(const Allotment& allotted, const std::optional<SlurmQueue>& queue) {
  if (const auto why = why_in_vain(allotted, queue ? queue->most : QueueLimits{})) {
    throw UsageError{fmt::format("{}{}. `sinfo` and `scontrol show partition` show what there is.",
                                 queue ? fmt::format("partition {}: ", queue->name) : "", *why)};
  }
}

QueueNodes nodes_of(const std::optional<SlurmQueue>& queue) {
  return queue ? queue->nodes
               : QueueNodes{.count = 1,
                            .cores = usable_cores(),
                            .memory_bytes = host_memory_limit().bytes,
                            .gpus = 0,
                            .longest = {}};
}

Demand demand_of(const JobPlan& plan) {
  const Prediction& here = plan.here;
  const double cores = static_cast<double>(here.tiles.lanes) * here.workers;
  std::uint64_t lane_bytes = 0;
  for (const ResolutionClass& one : here.classes) {
    lane_bytes = std::max(lane_bytes, one.tile_bytes);
  }
  const std::uint64_t lanes_bytes = static_cast<std::uint64_t>(here.tiles.lanes) * lane_bytes;
  return {.core_s_likely = (here.time.likely_s - here.fixed_s) * cores,
          .core_s_high = (here.time.high_s - here.fixed_s) * cores,
          .fixed_s = here.fixed_s,
          .items = plan.job.work.items().size(),
          .rank_bytes = here.peak_bytes - std::min(here.peak_bytes, lanes_bytes),
          .lane_bytes = lane_bytes};
}

std::string_view template_for(const SubmitCommand& command) {
  const std::string name = !command.script.empty() ? command.script
                           : command.parts > 0     ? "array"
                           : command.gpus > 0      ? "gpu"
                                                   : "cpu";
  const auto& all = batch_templates();
  const auto found = std::find_if(all.begin(), all.end(), [&](const BatchTemplate& one) { return one.name == name; });
  expect(found != all.end(), "the grammar lets no other name pass");
  return found->text;
}

/// As a line of a batch script takes it: "--comment=my run" would be two options.
std::string sbatch_option(const std::string& option) {
  const std::size_t value = option.find('=') + 1;
  const bool is_quoted = value < option.size() && (option[value] == '\'' || option[value] == '"');
  return value == 0 || is_quoted ? option : option.substr(0, value) + shell_word(option.substr(value));
}

BatchValues values_of(const SubmitCommand& command, const RunConfig& config, const Allotment& allotted) {
  BatchValues values;
  // Slurm's own names of files stop at blanks.
  std::string name = config.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c == '%' || c == '/'; }, '-');
  values.options = {{"job-name", shell_word(name)},
                    {"chdir", shell_word(fs::current_path().string())},
                    {"nodes", std::to_string(allotted.nodes)},
                    {"ntasks-per-node", std::to_string(allotted.tasks_per_node)},
                    {"cpus-per-task", std::to_string(allotted.cores_per_task)},
                    {"time", slurm_time(allotted.time)}};
  if (allotted.memory_bytes > 0) {
    values.options.emplace_back("mem", fmt::format("{}M", allotted.memory_bytes / MiB));
  } else {
    values.without.emplace_back("mem");
  }
  if (!command.partition.empty()) {
    values.options.emplace_back("partition", command.partition);
  }
  if (allotted.gpus_per_node > 0) {
    values.options.emplace_back("gres", fmt::format("gpu:{}", allotted.gpus_per_node));
  }
  if (command.parts > 0) {
    values.options.emplace_back("array", fmt::format("0-{}", command.parts - 1));
  }
  std::transform(command.sbatch.begin(), command.sbatch.end(), std::back_inserter(values.further), sbatch_option);
  values.variables = {{"job", fs::absolute(command.job).lexically_normal().string()},
                      {"pantile", fs::read_symlink("/proc/self/exe").string()}};
  for (const std::string& set : command.sets) {
    values.arguments.insert(values.arguments.end(), {"--set", set});
  }
  if (command.parts > 0) {
    values.variables.emplace_back("folder", config.output.dir.resolved.string());
  } else if (!command.output.empty()) {
    values.arguments.insert(values.arguments.end(), {"--output", fs::absolute(command.output).string()});
  }
  return values;
}

std::string time_text(double seconds) {
  if (seconds < 60) {
    return fmt::format("{:.1f} s", seconds);
  }
  return words::duration(std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(seconds)));
}

/// What is asked for and why, on stderr: stdout has the script or the job's number.
void explain(const SubmitCommand& command, const JobPlan& plan, const Allotment& allotted,
             const std::optional<SlurmQueue>& queue) {
  log::info("{} of {} items to do, {} of results", plan.job.work.items().size(), plan.job.catalog.size(),
            format_byte_size(plan.disk_bytes));
  log::info("{}{} node{}, {} task{} of {} core{} on each, {} and {} at most{}",
            command.parts > 0 ? fmt::format("{} jobs of ", command.parts) : "", allotted.nodes,
            allotted.nodes == 1 ? "" : "s", allotted.tasks_per_node, allotted.tasks_per_node == 1 ? "" : "s",
            allotted.cores_per_task, allotted.cores_per_task == 1 ? "" : "s",
            allotted.memory_bytes > 0 ? format_byte_size(allotted.memory_bytes) + " of memory" : "all their memory",
            slurm_time(allotted.time), queue ? ", in " + queue->name : "");
  log::info("predicted: {}{}, by the speed of this machine's cores", time_text(allotted.likely_s),
            command.parts > 0 ? " each" : "");
  if (allotted.slices > 1) {
    log::info("that is longer than one job may take: it is queued again {} times or so, and goes on each time",
              allotted.slices - 1);
  }
}

/// Throws Error with what sbatch says.
std::string queued(const std::string& script) {
  std::string file = (fs::temp_directory_path() / "pantile-XXXXXX").string();
  const int made = ::mkstemp(file.data());
  if (made < 0) {
    throw system_error("cannot make " + file);
  }
  ::close(made);
  if (!(std::ofstream{file} << script).flush()) {
    throw Error{"cannot write " + file + ". Is the disk full?"};
  }
  const ShortCommand sbatch =
      run_short_command({"sh", "-c", "exec sbatch --parsable \"$0\" 2>&1", file}, std::chrono::seconds{60});
  fs::remove(file);
  const std::string last = sbatch.output.substr(sbatch.output.find_last_of('\n') + 1);
  if (sbatch.code != 0 || last.empty()) {
    throw Error{fmt::format(
        "sbatch did not take the job (exit code {}): {}\n`pantile submit … --dry-run` prints what it was given.",
        sbatch.code, sbatch.output)};
  }
  return last.substr(0, last.find(';'));
}

}  // namespace

ExitCode carry_out(const SubmitCommand& command) {
  expect_fitting_template(command);
  const RunConfig config = load_job(command.job, command.output, command.sets).config;
  const RunLayout layout{config.output.dir.resolved};
  // As one process on all cores of this machine: that is what a node is compared with.
  const JobPlan plan = plan_job(config, {}, 1, {});
  if (plan.job.work.items().empty()) {
    log::info("nothing is left to do in {}: nothing is queued", shown(layout.root));
    return ExitCode::done;
  }
  if (command.parts == 0) {
    expect_startable(plan, layout);
  }
  warn_of_local_folders(command.job, config);
  const std::optional<SlurmQueue> queue = chosen_queue(command);
  const Allotment allotted = allot(demand_of(plan), nodes_of(queue),
                                   {.nodes = command.nodes,
                                    .tasks_per_node = command.tasks_per_node,
                                    .cores_per_task = command.cores_per_task,
                                    .memory_bytes = command.memory_bytes,
                                    .time = command.time,
                                    .within = command.within,
                                    .gpus_per_node = command.gpus,
                                    .parts = command.parts});
  expect_to_start(allotted, queue);
  explain(command, plan, allotted, queue);
  const std::string script = fill(template_for(command), values_of(command, config, allotted));
  if (command.dry_run) {
    fmt::print("{}", script);
    return ExitCode::done;
  }
  const std::string job = queued(script);
  fmt::print("{}\n", job);
  log::info("queued as job {}: squeue -j {}; its words go to {}", job, job,
            command.parts > 0 ? fmt::format("slurm-{}_PART.out", job) : fmt::format("slurm-{}.out", job));
  log::info("once it runs: pantile top {}{}", shown(layout.root),
            command.parts > 0 ? fmt::format("-part-1-of-{}", command.parts) : "");
  return ExitCode::done;
}

}  // namespace pantile::app
