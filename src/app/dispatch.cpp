#include <cstdio>
#include <filesystem>
#include <string_view>

#include "app/commands.hpp"
#include "run/executor_process.hpp"

namespace pantile::app {

ExitCode carry_out(const HelpRequest& request) {
  std::fputs(request.text.c_str(), stdout);
  return ExitCode::done;
}

ExitCode dispatch(std::span<char* const> arguments) {
  // Not in the grammar: no person types it, and its arguments are descriptors.
  if (arguments.size() > 1 && std::string_view{arguments[1]} == executor_subcommand) {
    return serve_as_executor(arguments.subspan(2));
  }
  return std::visit([](const auto& command) { return carry_out(command); }, parse_command_line(arguments));
}

RunLayout existing_run(const std::filesystem::path& folder) {
  RunLayout layout{folder};
  if (std::filesystem::is_regular_file(folder)) {
    throw UsageError{folder.string() +
                     " is a file, not a run folder. Give the folder that the job names as output.dir, " +
                     "or that was given as --output."};
  }
  if (!std::filesystem::exists(layout.journal())) {
    throw UsageError{"there is no run in " + folder.string() +
                     " (no file 'journal' in it). Give the folder that the job "
                     "names as output.dir, or that was given as --output; `pantile run JOB` starts a run."};
  }
  return layout;
}

RunLayout run_or_its_remains(const std::filesystem::path& folder) {
  RunLayout layout{folder};
  // A lost journal is the worst that can happen to a run; it is found, and can be made up for.
  return std::filesystem::exists(layout.identity()) && std::filesystem::exists(layout.shards()) ? layout
                                                                                                : existing_run(folder);
}

}  // namespace pantile::app
