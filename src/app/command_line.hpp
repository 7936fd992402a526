#pragma once
// The command line as plain structs. CLI11 is included by command_line.cpp alone: it is heavy to compile, and no
// subcommand needs to know it.

#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "report/table.hpp"

namespace pantile::app {

struct RunCommand {
  std::filesystem::path job;
  int ranks = 1;                  ///< processes; 1: no launcher
  std::string output;             ///< run folder instead of the config's; empty: the config's
  std::vector<std::string> sets;  ///< "devices.memory.cap=4GiB"
  bool fresh = false;             ///< put an existing run aside and start over
  bool quiet = false;             ///< no progress, warnings and errors only
};

struct VerifyCommand {
  std::filesystem::path run;
  TableFormat format = TableFormat::table;
};

struct InspectCommand {
  std::filesystem::path run;
  std::string item;  ///< path or number; empty: the whole run
  TableFormat format = TableFormat::table;
};

struct ExportCommand {
  std::filesystem::path run;
  std::filesystem::path folder;
  std::string output;  ///< name of the output; empty: the only one
};

struct StatusCommand {
  std::filesystem::path run;
  TableFormat format = TableFormat::table;
};

struct VersionCommand {
  TableFormat format = TableFormat::table;
};

/// The user asked for help: print it to stdout and be done.
struct HelpRequest {
  std::string text;
};

using Command =
    std::variant<RunCommand, VerifyCommand, InspectCommand, ExportCommand, StatusCommand, VersionCommand, HelpRequest>;

/// Throws UsageError, with what to type instead, if the arguments make no command.
[[nodiscard]] Command parse_command_line(std::span<char* const> arguments);

}  // namespace pantile::app
