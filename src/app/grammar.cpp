#include "app/grammar.hpp"

#include "base/error.hpp"

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

// What several commands have.

void add_format(CLI::App& command, TableFormat& format) {
  static const std::map<std::string, TableFormat> formats{
      {"table", TableFormat::table}, {"json", TableFormat::json}, {"csv", TableFormat::csv}};
  command.add_option("--format", format, "How stdout is written: table, json or csv")
      ->transform(CLI::Transformer(formats).description(""))
      ->type_name("FORMAT")
      ->default_str("table");
}

void add_job(CLI::App& command, std::filesystem::path& job) {
  command.add_option("JOB", job, "The job file (YAML); see docs/config.md")->required();
}

void add_run_folder(CLI::App& command, std::filesystem::path& run) {
  command.add_option("RUN", run, "The run folder")->required();
}

void add_sets(CLI::App& command, std::vector<std::string>& sets) {
  command.add_option("--set", sets, "Override a key of the job: --set devices.memory.cap=4GiB")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);  // One value each time: what follows may be the job.
}

// One function a command.

void add_ranks(CLI::App& command, int& ranks) {
  command.add_option("--ranks", ranks, "Processes to start with mpirun: 1 coordinates, the others work. 1: no mpirun")
      ->check(CLI::Range(1, 1 << 16))
      ->type_name("N");
}

void add_output(CLI::App& command, std::string& output) {
  command.add_option("--output", output, "Run folder, in place of the job's output.dir")->type_name("DIR");
}

void declare_run(CLI::App& command, RunCommand& run) {
  add_job(command, run.job);
  add_ranks(command, run.ranks);
  add_output(command, run.output);
  add_sets(command, run.sets);
  command.add_flag("--fresh", run.fresh, "Put an existing run folder aside (renamed, not deleted) and start over");
  command.add_flag("--retry-failed", run.retry_failed, "Try again what is in quarantine");
  command.add_flag("--quiet", run.quiet, "No progress; warnings and errors only");
  command.footer("Ctrl-C once finishes what is in flight and stops (exit 75, resumable); twice stops now.");
}

void declare_plan(CLI::App& command, PlanCommand& plan) {
  add_job(command, plan.job);
  add_ranks(command, plan.ranks);
  add_output(command, plan.output);
  add_sets(command, plan.sets);
  command.add_option("--what-if", plan.what_if, "Predict it for another machine too: nodes=4,cap=2GiB")
      ->type_name("KEY=VALUE,…")
      ->allow_extra_args(false);
  command.add_flag("--fresh", plan.fresh, "As if nothing were done yet");
  command.add_flag("--retry-failed", plan.retry_failed, "As `run --retry-failed`");
  add_format(command, plan.format);
}

void declare_status(CLI::App& command, StatusCommand& status) {
  add_run_folder(command, status.run);
  add_format(command, status.format);
}

void declare_inspect(CLI::App& command, InspectCommand& inspect) {
  add_run_folder(command, inspect.run);
  command.add_option("ITEM", inspect.item, "Path or number of an item");
  add_format(command, inspect.format);
}

void declare_verify(CLI::App& command, VerifyCommand& verify) {
  add_run_folder(command, verify.run);
  add_format(command, verify.format);
}

void declare_export(CLI::App& command, ExportCommand& exported) {
  add_run_folder(command, exported.run);
  command.add_option("DIR", exported.folder, "Where the files go; paths below it are those of the inputs")->required();
  command.add_option("--output", exported.output, "Which output, if there are several")->type_name("NAME");
}

void declare_version(CLI::App& command, VersionCommand& version) { add_format(command, version.format); }

}  // namespace

Grammar::Grammar()
    : app_{"Runs neural networks over very many images, on one laptop or a whole cluster; results are sharded HDF5.",
           "pantile"} {
  app_.require_subcommand(1);
  app_.footer(examples);
  app_.set_version_flag("--version", std::string{"pantile "} + PANTILE_VERSION);
  add(app_, "run", "Run a job, or go on with it where it stopped", declare_run);
  add(app_, "plan", "Say what a run would do: tiles, memory, time, disk; nothing is started", declare_plan);
  add(app_, "status", "Say how far a run is", declare_status);
  add(app_, "inspect", "Show what a run holds, or all that is known of one item", declare_inspect);
  add(app_, "verify", "Re-read every byte of a run and print its digest", declare_verify);
  add(app_, "export", "Write the results as PNG files", declare_export);
  add(app_, "version", "Say what this pantile is made of", declare_version);
}

const CLI::App& Grammar::reached() const {
  const CLI::App* at = &app_;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
  }
  return *at;
}

Command Grammar::chosen() const {
  const auto found = makers_.find(&reached());
  expect(found != makers_.end(), "every command without subcommands has a struct");
  return found->second();
}

}  // namespace pantile::app
