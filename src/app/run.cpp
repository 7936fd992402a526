#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "app/commands.hpp"
#include "app/job_file.hpp"
#include "base/log.hpp"
#include "cluster/mpi.hpp"
#include "config/load.hpp"
#include "run/launch.hpp"
#include "run/signals.hpp"
#include "run/stage_setup.hpp"
#include "run/supervisor.hpp"

namespace pantile::app {
namespace {

/// What follows `pantile run` to go on with this run: the job and its options, but for --fresh.
std::string again(const RunCommand& command) {
  std::string text;
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    if (command.words[i] != "--fresh" && command.words[i] != "--retry-failed" && command.words[i] != "--rescan") {
      text += (text.empty() ? "" : " ") + command.words[i];
    }
  }
  return text;
}

Launch launch_of(const RunCommand& command, const RunConfig& config) {
  const bool supervised = std::getenv(supervised_variable) != nullptr;
  return {.config = config,
          .start = {.fresh = command.fresh,
                    .retry_failed = command.retry_failed,
                    .rescan = command.rescan ? Rescan::yes : Rescan::no},
          .texts = {.job = again(command), .run_folder = shown(config.output.dir.resolved)},
          .shows_progress = !supervised && !command.quiet};
}

ExitCode start_ranks(const RunCommand& command, const LoadedConfig& loaded) {
  const RunConfig& config = loaded.config;
  // What a person must mend is said before processes are started.
  static_cast<void>(read_model(config.pipeline.front()));
  std::vector<std::string> rank_command{std::filesystem::read_symlink("/proc/self/exe").string()};
  rank_command.insert(rank_command.end(), command.words.begin(), command.words.end());
  return supervise({.rank_command = std::move(rank_command),
                    .ranks = command.ranks,
                    .job = again(command),
                    .run_folder = config.output.dir.resolved,
                    .shown_folder = shown(config.output.dir.resolved),
                    .quiet = command.quiet,
                    .variables = loaded.variables});
}

}  // namespace

ExitCode carry_out(const RunCommand& command) {
  // Before all else: a stop that comes while MPI starts, which takes half a second, is a stop too. mpirun passes
  // SIGUSR2 on; what it does itself on SIGINT and SIGTERM ends the ranks by SIGKILL anyway.
  watch_stop_signals(true);
  const LoadedConfig loaded = load_job(command.job, command.output, command.sets);
  if (command.quiet) {
    log::set_level(log::Level::warn);
  }
  if (mpi::launched_as_rank()) {
    return run_as_rank(launch_of(command, loaded.config));
  }
  if (command.ranks == 1) {
    return run_in_process(launch_of(command, loaded.config));
  }
  return start_ranks(command, loaded);
}

}  // namespace pantile::app
