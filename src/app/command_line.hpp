#pragma once
// The command line as plain structs, and what carries each out. A new command is a struct here with its carry_out() and
// its line in Command, a function and a row in grammar.cpp that say how it is written, and a file for carry_out().
// Help, completion, docs and dispatch follow from these.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "report/table.hpp"

namespace pantile::app {

struct InitCommand {
  std::filesystem::path images;
  std::filesystem::path model;                ///< empty: to be filled in by hand
  std::filesystem::path output = "job.yaml";  ///< "-": stdout
  bool force = false;                         ///< replace a file that is there
};
[[nodiscard]] ExitCode carry_out(const InitCommand& command);

struct DoctorCommand {
  std::filesystem::path job;  ///< empty: the machine only
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const DoctorCommand& command);

struct RunCommand {
  std::filesystem::path job;
  int ranks = 1;                                        ///< processes; 1: no launcher
  std::string output;                                   ///< run folder instead of the config's; empty: the config's
  std::vector<std::string> sets;                        ///< "devices.memory.cap=4GiB"
  bool fresh = false;                                   ///< put an existing run aside and start over
  bool retry_failed = false;                            ///< what is in quarantine is tried again
  bool rescan = false;                                  ///< look for new files in the inputs
  bool quiet = false;                                   ///< no progress, warnings and errors only
  std::optional<std::chrono::milliseconds> time_limit;  ///< stop in order before it is over
  std::vector<std::string> words;  ///< all that was typed behind "pantile": ranks are started with it
};
[[nodiscard]] ExitCode carry_out(const RunCommand& command);

struct PlanCommand {
  std::filesystem::path job;
  int ranks = 1;
  std::string output;  ///< as of run
  std::vector<std::string> sets;
  std::vector<std::string> what_if;  ///< "nodes=4,cap=2GiB"
  bool fresh = false;
  bool retry_failed = false;
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const PlanCommand& command);

struct SubmitCommand {
  std::filesystem::path job;
  std::string output;             ///< as of run
  std::vector<std::string> sets;  ///< as of run
  std::string partition;          ///< empty: the cluster's default
  std::string script;             ///< name of a template; empty: by gpus and parts
  std::optional<int> nodes;
  std::optional<int> tasks_per_node;
  std::optional<int> cores_per_task;
  int gpus = 0;                               ///< of each node
  std::optional<std::uint64_t> memory_bytes;  ///< of each node
  std::optional<std::chrono::seconds> time;
  std::chrono::seconds within{3600};  ///< as many nodes as make the run so short
  int parts = 0;                      ///< jobs of an array; 0: no array
  std::vector<std::string> sbatch;    ///< "--constraint=ib"
  bool dry_run = false;
};
[[nodiscard]] ExitCode carry_out(const SubmitCommand& command);

struct VerifyCommand {
  std::filesystem::path run;
  bool repair = false;                ///< make whole what is not
  std::string sample;                 ///< "5%" or "12": make so many items again; empty: none
  std::optional<std::uint64_t> seed;  ///< of the choice of the sample
  std::filesystem::path against;      ///< another run to compare with; empty: none
  double tolerance = 0;               ///< of that comparison, levels of 8 bits
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const VerifyCommand& command);

struct InspectCommand {
  std::filesystem::path run;
  std::string item;  ///< path or number; empty: the whole run
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const InspectCommand& command);

struct WhyCommand {
  std::filesystem::path run;
  std::string item;  ///< path or number
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const WhyCommand& command);

struct ExportCommand {
  std::filesystem::path run;
  std::filesystem::path folder;
  std::string output;  ///< name of the output; empty: the only one
};
[[nodiscard]] ExitCode carry_out(const ExportCommand& command);

struct StatusCommand {
  std::filesystem::path run;
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const StatusCommand& command);

struct TopCommand {
  std::filesystem::path run;
};
[[nodiscard]] ExitCode carry_out(const TopCommand& command);

struct CtlCommand {
  std::filesystem::path run;
  std::string request;  ///< "drain"
  std::string setting;  ///< of "set"
};
[[nodiscard]] ExitCode carry_out(const CtlCommand& command);

enum class Shell { bash, zsh, fish };
struct CompletionCommand {
  Shell shell = Shell::bash;
};
[[nodiscard]] ExitCode carry_out(const CompletionCommand& command);

struct ModelCommand {
  std::filesystem::path model;
  bool check = false;           ///< measure what the graph promises
  std::filesystem::path image;  ///< pixels to measure on; empty: made-up ones
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const ModelCommand& command);

struct CalibrateCommand {
  std::filesystem::path model;
  std::string memory = "256MiB";  ///< the most that a measured size may need
  int samples = 16;               ///< sizes that are measured
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const CalibrateCommand& command);

struct ConfigKeysCommand {
  std::string search;  ///< in names, values and meanings; empty: all keys
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const ConfigKeysCommand& command);

struct ConfigSchemaCommand {
  bool part = false;  ///< of a file to include
};
[[nodiscard]] ExitCode carry_out(const ConfigSchemaCommand& command);

struct ConfigShowCommand {
  std::filesystem::path job;
  std::vector<std::string> sets;
  bool origin = false;  ///< say where each value came from
};
[[nodiscard]] ExitCode carry_out(const ConfigShowCommand& command);

struct VersionCommand {
  TableFormat format = TableFormat::table;
};
[[nodiscard]] ExitCode carry_out(const VersionCommand& command);

/// The user asked for help: print it to stdout and be done.
struct HelpRequest {
  std::string text;
};
[[nodiscard]] ExitCode carry_out(const HelpRequest& request);

using Command = std::variant<HelpRequest,          //
                             InitCommand,          //
                             DoctorCommand,        //
                             RunCommand,           //
                             SubmitCommand,        //
                             PlanCommand,          //
                             StatusCommand,        //
                             TopCommand,           //
                             CtlCommand,           //
                             InspectCommand,       //
                             WhyCommand,           //
                             VerifyCommand,        //
                             ExportCommand,        //
                             ModelCommand,         //
                             CalibrateCommand,     //
                             ConfigKeysCommand,    //
                             ConfigSchemaCommand,  //
                             ConfigShowCommand,    //
                             CompletionCommand,    //
                             VersionCommand>;

/// Throws UsageError, with what to type instead, if the arguments make no command.
[[nodiscard]] Command parse_command_line(std::span<char* const> arguments);

}  // namespace pantile::app
