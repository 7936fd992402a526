#include <cstdio>
#include <filesystem>

#include "app/commands.hpp"

namespace pantile::app {
namespace {

struct Carrier {
  std::span<char* const> arguments;
  ExitCode operator()(const RunCommand& command) const { return run(command, arguments); }
  ExitCode operator()(const VerifyCommand& command) const { return verify(command); }
  ExitCode operator()(const InspectCommand& command) const { return inspect(command); }
  ExitCode operator()(const ExportCommand& command) const { return export_images(command); }
  ExitCode operator()(const StatusCommand& command) const { return status(command); }
  ExitCode operator()(const VersionCommand& command) const { return version(command); }
  ExitCode operator()(const HelpRequest& request) const {
    std::fputs(request.text.c_str(), stdout);
    return ExitCode::done;
  }
};

}  // namespace

ExitCode dispatch(std::span<char* const> arguments) {
  return std::visit(Carrier{arguments}, parse_command_line(arguments));
}

RunLayout existing_run(const std::filesystem::path& folder) {
  RunLayout layout{folder};
  if (!std::filesystem::exists(layout.journal())) {
    throw UsageError{"there is no run in " + folder.string() +
                     " (no file 'journal' in it). Give the folder that the job "
                     "names as output.dir, or that was given as --output."};
  }
  return layout;
}

}  // namespace pantile::app
