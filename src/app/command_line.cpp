#include "app/command_line.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "config/suggest.hpp"

namespace pantile::app {
namespace {

constexpr const char* examples = R"(
Start here:
  pantile run job.yaml                 all cores of this machine, one process
  pantile run job.yaml --ranks 3       one coordinator, two workers, started by mpirun
  pantile verify out/manga-2x          re-read every byte, print the digest of the run
  pantile export out/manga-2x pngs     one PNG per image

Exit codes: 0 all done · 1 failed · 2 usage or config, nothing started · 3 done, some items in quarantine ·
  4 verify found differences · 75 stopped on request, run the same command to go on · 130 stopped at once)";

void add_format(CLI::App& command, TableFormat& format) {
  static const std::map<std::string, TableFormat> formats{
      {"table", TableFormat::table}, {"json", TableFormat::json}, {"csv", TableFormat::csv}};
  command.add_option("--format", format, "How stdout is written: table, json or csv")
      ->transform(CLI::Transformer(formats).description(""))
      ->type_name("FORMAT")
      ->default_str("table");
}

/// The grammar, and the structs it fills.
struct Grammar {
  CLI::App app{
      "Runs neural networks over very many images, on one laptop or a whole cluster; results are sharded HDF5.",
      "pantile"};
  RunCommand run;
  VerifyCommand verify;
  InspectCommand inspect;
  ExportCommand exported;
  StatusCommand status;
  VersionCommand version;

  Grammar() {
    app.require_subcommand(1);
    app.footer(examples);
    app.set_version_flag("--version", std::string{"pantile "} + PANTILE_VERSION);
    add_run();
    CLI::App* command = app.add_subcommand("verify", "Re-read every byte of a run and print its digest");
    command->add_option("RUN", verify.run, "The run folder")->required();
    add_format(*command, verify.format);
    command = app.add_subcommand("inspect", "Show what a run holds, or all that is known of one item");
    command->add_option("RUN", inspect.run, "The run folder")->required();
    command->add_option("ITEM", inspect.item, "Path or number of an item");
    add_format(*command, inspect.format);
    command = app.add_subcommand("export", "Write the results as PNG files");
    command->add_option("RUN", exported.run, "The run folder")->required();
    command->add_option("DIR", exported.folder, "Where the files go; paths below it are those of the inputs")
        ->required();
    command->add_option("--output", exported.output, "Which output, if there are several")->type_name("NAME");
    command = app.add_subcommand("status", "Say how far a run is");
    command->add_option("RUN", status.run, "The run folder")->required();
    add_format(*command, status.format);
    command = app.add_subcommand("version", "Say what this pantile is made of");
    add_format(*command, version.format);
  }

  void add_run() {
    CLI::App* const command = app.add_subcommand("run", "Run a job, or go on with it where it stopped");
    command->add_option("JOB", run.job, "The job file (YAML); see docs/config.md")->required();
    command
        ->add_option("--ranks", run.ranks,
                     "Processes to start with mpirun: 1 coordinates, the others work. 1: no mpirun")
        ->check(CLI::Range(1, 1 << 16))
        ->type_name("N");
    command->add_option("--output", run.output, "Run folder, in place of the job's output.dir")->type_name("DIR");
    command->add_option("--set", run.sets, "Override a key of the job: --set devices.memory.cap=4GiB")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);  // One value each time: what follows may be the job.
    command->add_flag("--fresh", run.fresh, "Put an existing run folder aside (renamed, not deleted) and start over");
    command->add_flag("--quiet", run.quiet, "No progress; warnings and errors only");
    command->footer("Ctrl-C once finishes what is in flight and stops (exit 75, resumable); twice stops now.");
  }
};

/// The subcommands' own mistakes end with the command that helps; a mistyped command gets a suggestion.
[[noreturn]] void refuse(const CLI::App& app, std::span<char* const> arguments, const std::string& why) {
  const CLI::App* at = &app;
  if (arguments.size() > 1) {
    const std::string first = arguments[1];
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) {
      names.push_back(command->get_name());
      if (command->get_name() == first) {
        at = command;
      }
    }
    if (at == &app && !first.starts_with('-')) {
      std::string text = "unknown command '" + first + "'.";
      if (const auto similar = suggestion(first, names)) {
        text += " Did you mean '" + *similar + "'?";
      }
      throw UsageError{text + " All commands: pantile --help"};
    }
  }
  const std::string help = at == &app ? "pantile --help" : "pantile " + at->get_name() + " --help";
  throw UsageError{why + ". See: " + help};
}

}  // namespace

Command parse_command_line(std::span<char* const> arguments) {
  Grammar grammar;
  try {
    grammar.app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    for (const CLI::App* command : grammar.app.get_subcommands()) {
      return HelpRequest{command->help()};
    }
    return HelpRequest{grammar.app.help()};
  } catch (const CLI::CallForVersion& version) {
    return HelpRequest{std::string{version.what()} + "\n"};
  } catch (const CLI::ParseError& error) {
    refuse(grammar.app, arguments, error.what());
  }
  const std::string chosen = grammar.app.get_subcommands().front()->get_name();
  if (chosen == "run") {
    return grammar.run;
  }
  if (chosen == "verify") {
    return grammar.verify;
  }
  if (chosen == "inspect") {
    return grammar.inspect;
  }
  if (chosen == "export") {
    return grammar.exported;
  }
  if (chosen == "status") {
    return grammar.status;
  }
  return grammar.version;
}

}  // namespace pantile::app
