#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "app/commands.hpp"
#include "app/job_file.hpp"
#include "base/log.hpp"
#include "cluster/mpi.hpp"
#include "config/load.hpp"
#include "run/deadline.hpp"
#include "run/launch.hpp"
#include "run/signals.hpp"
#include "run/stage_setup.hpp"
#include "run/supervisor.hpp"

namespace pantile::app {
namespace {

/// The words to go on with this run: the same, without what is done once.
std::vector<std::string> words_to_resume(const RunCommand& command) {
  std::vector<std::string> words;
  std::copy_if(command.words.begin(), command.words.end(), std::back_inserter(words), [](const std::string& word) {
    return word != "--fresh" && word != "--retry-failed" && word != "--rescan";
  });
  return words;
}

/// What follows `pantile run` to go on with this run.
std::string again(const RunCommand& command) {
  const std::vector<std::string> words = words_to_resume(command);
  return fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
}

Launch launch_of(const RunCommand& command, const RunConfig& config, WallTime started) {
  const bool supervised = std::getenv(supervised_variable) != nullptr;
  return {.config = config,
          .start = {.fresh = command.fresh,
                    .retry_failed = command.retry_failed,
                    .rescan = command.rescan ? Rescan::yes : Rescan::no},
          .texts = {.job = again(command), .run_folder = shown(config.output.dir.resolved)},
          .time_limit = command.time_limit,
          .started = started,
          .shows_progress = !supervised && !command.quiet};
}

ExitCode start_ranks(const RunCommand& command, const LoadedConfig& loaded, WallTime started) {
  const RunConfig& config = loaded.config;
  // What a person must mend is said before processes are started.
  static_cast<void>(read_model(config.pipeline.front()));
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> rank_command = command.words;
  rank_command.insert(rank_command.begin(), program);
  std::vector<std::string> resume_command = words_to_resume(command);
  resume_command.insert(resume_command.begin(), program);
  return supervise({.rank_command = std::move(rank_command),
                    .resume_command = std::move(resume_command),
                    .ranks = command.ranks,
                    .job = again(command),
                    .run_folder = config.output.dir.resolved,
                    .shown_folder = shown(config.output.dir.resolved),
                    .quiet = command.quiet,
                    .variables = loaded.variables,
                    .ends_at = end_of_run(command.time_limit, started)});
}

}  // namespace

ExitCode carry_out(const RunCommand& command) {
  // Before all else: a stop that comes while MPI starts, which takes half a second, is a stop too. mpirun passes
  // SIGUSR2 on; what it does itself on SIGINT and SIGTERM ends the ranks by SIGKILL anyway.
  watch_stop_signals(true);
  const WallTime started = std::chrono::system_clock::now();
  const LoadedConfig loaded = load_job(command.job, command.output, command.sets);
  if (command.quiet) {
    log::set_level(log::Level::warn);
  }
  if (mpi::launched_as_rank()) {
    return run_as_rank(launch_of(command, loaded.config, started));
  }
  if (command.ranks == 1) {
    return run_in_process(launch_of(command, loaded.config, started));
  }
  return start_ranks(command, loaded, started);
}

}  // namespace pantile::app
