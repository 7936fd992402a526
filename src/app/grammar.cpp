#include "app/grammar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "config/scalars.hpp"

namespace pantile::app {
namespace {

// What several commands have.

/// An option or positional of a few words: its value is named "table|json|csv", which help and completion read.
template <class Value>
CLI::Option* add_choice(CLI::App& command, const char* name, Value& value,
                        const std::vector<std::pair<std::string, Value>>& choices, const std::string& doc) {
  std::vector<std::string> names;
  for (const auto& [text, unused] : choices) {
    names.push_back(text);
  }
  const auto take = [&value, choices, names](const CLI::results_t& words) {
    const auto found = std::find_if(choices.begin(), choices.end(), [&](auto& one) { return one.first == words[0]; });
    if (found == choices.end()) {
      throw CLI::ValidationError{fmt::format("'{}' is none of {}", words[0], fmt::join(names, ", "))};
    }
    value = found->second;
    return true;
  };
  return command.add_option(name, take, doc)->type_name(fmt::format("{}", fmt::join(names, "|")));
}

void add_format(CLI::App& command, TableFormat& format) {
  add_choice(command, "--format", format,
             {{"table", TableFormat::table}, {"json", TableFormat::json}, {"csv", TableFormat::csv}},
             "How stdout is written")
      ->default_str("table");
}

CLI::Option* add_job(CLI::App& command, std::filesystem::path& job) {
  return command.add_option("JOB", job, "The job file (YAML); its keys: pantile config keys");
}

void add_run_folder(CLI::App& command, std::filesystem::path& run) {
  command.add_option("RUN", run, "The run folder: output.dir of the job, or --output")->required();
}

void add_sets(CLI::App& command, std::vector<std::string>& sets) {
  command.add_option("--set", sets, "Override a key of the job; may be given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);  // One value each time: what follows may be the job.
}

void add_ranks(CLI::App& command, int& ranks) {
  command.add_option("--ranks", ranks, "Processes, started with mpirun: 1 coordinates, the others work. 1: no mpirun")
      ->check(CLI::Range(1, 1 << 16))
      ->type_name("N");
}

void add_output(CLI::App& command, std::string& output) {
  command.add_option("--output", output, "Run folder, in place of the job's output.dir")->type_name("DIR");
}

// One function a command.

void declare_init(CLI::App& command, InitCommand& init) {
  command.add_option("DIR", init.images, "The folder with the images, searched with all below it")->required();
  command.add_option("--model", init.model, "The ONNX model: color and notes are filled from its graph")
      ->type_name("FILE");
  command.add_option("--output", init.output, "Where the job file goes; - is stdout")
      ->type_name("FILE")
      ->default_str("job.yaml");
  command.add_flag("--force", init.force, "Replace a file that is there (otherwise it is left as it is)");
  command.footer(
      "Example: pantile init pages --model models/upscale2x.onnx\n"
      "Then:    pantile doctor job.yaml && pantile run job.yaml\n"
      "What was found among the images is said on stderr.");
}

void declare_doctor(CLI::App& command, DoctorCommand& doctor) {
  add_job(command, doctor.job);
  add_choice(command, "--format", doctor.format, {{"table", TableFormat::table}, {"json", TableFormat::json}},
             "How stdout is written")
      ->default_str("table");
  command.footer(
      "Each finding is ok, a note, a warning (works, but not as it could) or a problem\n"
      "(a run would fail). With a job, what the job needs is looked at too.\n"
      "Example: pantile doctor job.yaml\n"
      "Exit codes: 0 no problem, 1 problems, 2 the job file has mistakes.");
}

void declare_run(CLI::App& command, RunCommand& run) {
  add_job(command, run.job)->required();
  add_ranks(command, run.ranks);
  add_output(command, run.output);
  add_sets(command, run.sets);
  command.add_flag("--fresh", run.fresh, "Put an existing run folder aside (renamed, not deleted) and start over");
  command.add_flag("--retry-failed", run.retry_failed, "Try again what is in quarantine");
  command.add_flag("--rescan", run.rescan, "Add the files that are new in the inputs since the run began");
  const auto take_limit = [&run](const CLI::results_t& words) {
    run.time_limit = parse_duration(words[0]);
    if (!run.time_limit || run.time_limit->count() <= 0) {
      throw CLI::ValidationError{fmt::format("'{}' is no duration: 90s, 15min, 11.5h", words[0])};
    }
    return true;
  };
  command.add_option("--time-limit", take_limit, "Stop in order before so much time is over: 15min, 11.5h")
      ->type_name("DURATION");
  command.add_flag("--quiet", run.quiet, "No progress; warnings and errors only");
  command.footer(
      "Example: pantile run job.yaml --ranks 3 --set devices.memory.cap=4GiB\n"
      "Ctrl-C once finishes what is in flight and stops; the same command goes on.\n"
      "Twice stops now. The end of a Slurm job is a time limit by itself.\n"
      "Exit codes: 0 done, 3 done but for items in quarantine, 1 failed,\n"
      "2 nothing was started, 75 stopped, 130 stopped at once.");
}

void declare_plan(CLI::App& command, PlanCommand& plan) {
  add_job(command, plan.job)->required();
  add_ranks(command, plan.ranks);
  add_output(command, plan.output);
  add_sets(command, plan.sets);
  command.add_option("--what-if", plan.what_if, "Predict it for another machine too: nodes=4,cap=2GiB")
      ->type_name("KEY=VALUE,…")
      ->allow_extra_args(false);
  command.add_flag("--fresh", plan.fresh, "As if nothing were done yet");
  command.add_flag("--retry-failed", plan.retry_failed, "As `run --retry-failed`");
  add_format(command, plan.format);
  command.footer("Example: pantile plan job.yaml --what-if nodes=4,cap=8GiB");
}

/// A quantity with a unit, as the job file has them.
template <class Value, class Parse>
void add_quantity(CLI::App& command, const char* name, Value& value, Parse parse, const char* examples,
                  const char* type, const std::string& doc) {
  const auto take = [&value, parse, examples](const CLI::results_t& words) {
    const auto parsed = parse(words[0]);
    if (!parsed || *parsed <= std::remove_cvref_t<decltype(*parsed)>{}) {
      throw CLI::ValidationError{fmt::format("'{}' is none such as {}", words[0], examples)};
    }
    value = *parsed;
    return true;
  };
  command.add_option(name, take, doc)->type_name(type);
}

std::optional<std::chrono::seconds> whole_seconds(const std::string& text) {
  const auto duration = parse_duration(text);
  return duration ? std::optional{std::chrono::ceil<std::chrono::seconds>(*duration)} : std::nullopt;
}

void declare_submit(CLI::App& command, SubmitCommand& submit) {
  constexpr int many = 1 << 16;
  add_job(command, submit.job)->required();
  command.add_flag("--dry-run", submit.dry_run, "Print the batch script; queue nothing");
  add_quantity(command, "--within", submit.within, whole_seconds, "1h, 90min", "DURATION",
               "Take as many nodes as make the run so short (1h)");
  command.add_option("--nodes", submit.nodes, "So many nodes")->check(CLI::Range(1, many))->type_name("N");
  command.add_option("--tasks-per-node", submit.tasks_per_node, "Ranks on each node")
      ->check(CLI::Range(1, many))
      ->type_name("N");
  command.add_option("--cpus-per-task", submit.cores_per_task, "Cores of each rank")
      ->check(CLI::Range(1, many))
      ->type_name("N");
  command.add_option("--gpus", submit.gpus, "GPUs of each node")->check(CLI::Range(1, 1024))->type_name("N");
  add_quantity(command, "--mem", submit.memory_bytes, parse_byte_size, "32GiB, 500MiB", "SIZE", "Memory of each node");
  add_quantity(command, "--time", submit.time, whole_seconds, "4h, 90min", "DURATION", "Time limit of the job");
  command.add_option("--partition", submit.partition, "Queue, in place of the cluster's default")->type_name("NAME");
  command.add_option("--array", submit.parts, "N jobs of one process, each on a part of the items")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  command.add_option("--template", submit.script, "Which script: cpu, gpu, mixed or array")
      ->check(CLI::IsMember({"cpu", "gpu", "mixed", "array"}))
      ->type_name("NAME");
  command.add_option("--sbatch", submit.sbatch, "A further option of sbatch: --sbatch=--account=lab")
      ->type_name("OPTION")
      ->allow_extra_args(false);
  add_output(command, submit.output);
  add_sets(command, submit.sets);
  command.footer(
      "All that can be checked is, before the job is queued; its number goes to stdout.\n"
      "Example: pantile submit job.yaml --within 2h --partition long");
}

void declare_status(CLI::App& command, StatusCommand& status) {
  add_run_folder(command, status.run);
  add_format(command, status.format);
  command.footer(
      "Works from any machine that sees the folder, while the run goes on and after.\n"
      "Example: pantile status out/pages");
}

void declare_top(CLI::App& command, TopCommand& top) {
  add_run_folder(command, top.run);
  command.footer(
      "The block that `pantile run` draws, twice a second, until the run ends or\n"
      "Ctrl-C, which ends the display only. Of each device: the cap in force, what the\n"
      "plan predicts of it, what is used, and what other programs have.\n"
      "Works from any machine that sees the folder. Without a terminal it is printed\n"
      "once.\n"
      "Example: pantile top out/pages");
}

void declare_ctl(CLI::App& command, CtlCommand& ctl) {
  add_run_folder(command, ctl.run);
  add_choice<std::string>(command, "REQUEST", ctl.request, {{"drain", "drain"}, {"stop", "stop"}, {"set", "set"}},
                          "What the run shall do")
      ->required();
  command.add_option("SETTING", ctl.setting, "What to set: KEY=VALUE");
  command.footer(
      "drain finishes what is in flight, as Ctrl-C does; stop does not wait for it.\n"
      "Both seal what is computed; the run ends with 75 and may be gone on with.\n"
      "set moves devices.memory.cap, leave, host or per_device from the next tile on,\n"
      "until the run ends; job.yaml stays as it is.\n"
      "Works from any machine that sees the folder.\n"
      "Examples: pantile ctl out/pages drain\n"
      "          pantile ctl out/pages set devices.memory.cap=4GiB\n"
      "Exit codes: 0 the run does it, 1 it does not run or does not answer,\n"
      "2 there is no run.");
}

void declare_inspect(CLI::App& command, InspectCommand& inspect) {
  add_run_folder(command, inspect.run);
  command.add_option("ITEM", inspect.item, "Path below its input, or number, of one item");
  add_format(command, inspect.format);
  command.footer("Example: pantile inspect out/pages vol-01/003.png");
}

void declare_why(CLI::App& command, WhyCommand& why) {
  add_run_folder(command, why.run);
  command.add_option("ITEM", why.item, "Path below its input, or number, of one item")->required();
  add_choice(command, "--format", why.format, {{"table", TableFormat::table}, {"json", TableFormat::json}},
             "How stdout is written")
      ->default_str("table");
  command.footer(
      "For each block: shard, row, rank, device, tile, peak memory, times, and the plan\n"
      "that was in force as it was made, with the cap; earlier attempts that failed.\n"
      "Works while the run goes on and after.\n"
      "Example: pantile why out/pages vol-01/003.png");
}

void declare_verify(CLI::App& command, VerifyCommand& verify) {
  add_run_folder(command, verify.run);
  command.add_flag("--repair", verify.repair, "Put damaged files aside, rebuild the index, make lost items again");
  command.add_option("--sample", verify.sample, "Make so many items again (5%, or 20) and compare")->type_name("P");
  command.add_option("--seed", verify.seed, "Of the choice of the sample; otherwise from the digest")->type_name("N");
  command.add_option("--against", verify.against, "Compare with another run, item by item")->type_name("RUN2");
  command.add_option("--tolerance", verify.tolerance, "What may differ then, in levels of 8 bits")
      ->check(CLI::Range(0.0, 255.0))
      ->type_name("N")
      ->default_str("0");
  add_format(command, verify.format);
  command.footer(
      "Runs of one job have one digest, whatever they were run on.\n"
      "Example: pantile verify out/pages --against out/other\n"
      "Exit codes: 0 all is as it was written, 4 something is not.");
}

void declare_export(CLI::App& command, ExportCommand& exported) {
  add_run_folder(command, exported.run);
  command.add_option("DIR", exported.folder, "Where the files go; paths below it are those of the inputs")->required();
  command.add_option("--output", exported.output, "Which output, if there are several")->type_name("NAME");
  command.footer("Example: pantile export out/pages pngs");
}

void declare_model(CLI::App& command, ModelCommand& model) {
  command.add_option("MODEL", model.model, "An ONNX file")->required();
  command.add_flag("--check", model.check, "Run it, and measure what its graph promises; exit code 4 if that is wrong");
  command.add_option("--image", model.image, "Measure on the pixels of this image")->type_name("FILE");
  add_choice(command, "--format", model.format, {{"table", TableFormat::table}, {"json", TableFormat::json}},
             "How stdout is written: table or json")
      ->default_str("table");
  command.footer("Example: pantile model models/upscale2x.onnx --check");
}

void declare_calibrate(CLI::App& command, CalibrateCommand& calibrate) {
  command.add_option("MODEL", calibrate.model, "An ONNX file")->required();
  command.add_option("--memory", calibrate.memory, "Measure sizes that need up to so much")
      ->type_name("SIZE")
      ->default_str(calibrate.memory);
  command.add_option("--samples", calibrate.samples, "How many sizes are measured")
      ->check(CLI::Range(2, 1000))
      ->type_name("N")
      ->default_str("16");
  add_choice(command, "--format", calibrate.format, {{"table", TableFormat::table}, {"json", TableFormat::json}},
             "How stdout is written: table or json")
      ->default_str("table");
  command.footer("Example: pantile calibrate models/upscale2x.onnx");
}

void declare_config_keys(CLI::App& command, ConfigKeysCommand& keys) {
  command.add_option("SEARCH", keys.search, "Only keys that have this in their name, values or meaning");
  add_format(command, keys.format);
  command.footer("Example: pantile config keys memory");
}

void declare_config_schema(CLI::App& command, ConfigSchemaCommand& schema) {
  command.add_flag("--part", schema.part, "For files to include: any subset of the keys");
  command.footer(
      "Example: pantile config schema > job.schema.json\n"
      "         check-jsonschema --schemafile job.schema.json job.yaml");
}

void declare_config_show(CLI::App& command, ConfigShowCommand& show) {
  add_job(command, show.job)->required();
  add_sets(command, show.sets);
  command.add_flag("--origin", show.origin, "Say behind each value where it came from");
  command.footer("Example: pantile config show job.yaml --origin");
}

void declare_completion(CLI::App& command, CompletionCommand& completion) {
  add_choice(command, "SHELL", completion.shell, {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}},
             "bash, zsh or fish")
      ->required();
  command.footer(
      "bash: echo 'source <(pantile completion bash)' >> ~/.bashrc\n"
      "zsh:  pantile completion zsh > \"${fpath[1]}/_pantile\"\n"
      "fish: pantile completion fish > ~/.config/fish/completions/pantile.fish");
}

void declare_version(CLI::App& command, VersionCommand& version) {
  add_format(command, version.format);
  command.footer("Example: pantile version --format json");
}

constexpr const char* start = "Start";
constexpr const char* work = "Run";
constexpr const char* results = "Results";
constexpr const char* more = "More";
constexpr const char* keys = "Keys";
constexpr const char* a_job = "A job";

}  // namespace

Grammar::Grammar() : app_{"Pantile runs neural networks over very many images, on a laptop or a cluster.", "pantile"} {
  app_.require_subcommand(1);
  app_.set_version_flag("--version", std::string{"pantile "} + PANTILE_VERSION);
  // In the order of the help; commands of one group stand together.
  add(app_, "init", "Look at images and write a job file for them", declare_init).group(start);
  add(app_, "doctor", "Check this machine, and what a job needs of it", declare_doctor).group(start);
  CLI::App& config =
      *app_.add_subcommand("config", "Show all keys of a job, or what a job comes to")->require_subcommand(1);
  add(config, "keys", "List every key: what may stand there, and what it does", declare_config_keys).group(keys);
  add(config, "schema", "Print the JSON Schema of a job, for editors and checks", declare_config_schema).group(keys);
  add(config, "show", "Print a job with all that is included and set", declare_config_show).group(a_job);
  config.group(start);
  config.footer("Example: pantile config keys memory");
  add(app_, "plan", "Say what a run would do: tiles, memory, time, disk", declare_plan).group(work);
  add(app_, "run", "Run a job, or go on with it where it stopped", declare_run).group(work);
  add(app_, "submit", "Put a job into the queue of a Slurm cluster", declare_submit).group(work);
  add(app_, "status", "Say how far a run is", declare_status).group(work);
  add(app_, "top", "Watch a run: progress, devices, memory", declare_top).group(work);
  add(app_, "ctl", "Ask a running run to stop", declare_ctl).group(work);
  add(app_, "inspect", "Show what a run holds, or all that is known of one item", declare_inspect).group(results);
  add(app_, "why", "Say where one result comes from, and why it was made so", declare_why).group(results);
  add(app_, "verify", "Re-read every byte of a run and print its digest", declare_verify).group(results);
  add(app_, "export", "Write the results as PNG files", declare_export).group(results);
  add(app_, "model", "Say what an ONNX model is, and how it is tiled or why not", declare_model).group(more);
  add(app_, "calibrate", "Predict the memory of a model, and measure it", declare_calibrate).group(more);
  add(app_, "completion", "Print a script that completes commands in your shell", declare_completion).group(more);
  add(app_, "version", "Say what this pantile is made of", declare_version).group(more);
  // Last: a command takes over the footer that there is when it is added.
  app_.footer("Begin with: pantile init pages --model my-model.onnx; pantile COMMAND --help");
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
