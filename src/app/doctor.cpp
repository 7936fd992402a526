#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/command_line.hpp"
#include "app/job_facts.hpp"
#include "app/machine_facts.hpp"
#include "app/mpi_facts.hpp"
#include "base/log.hpp"
#include "base/printable.hpp"
#include "run/confinement.hpp"
#include "run/version.hpp"
#include "store/format.hpp"

namespace pantile::app {
namespace {

/// From the start of mpirun. Half a second is usual; all of doctor stays within five.
constexpr std::chrono::milliseconds patience{4000};

using Findings = std::vector<Finding>;

void append(Findings& all, Findings more) { all.insert(all.end(), more.begin(), more.end()); }

void look_at_job(const RunConfig& config, const Engine* engine, const MemoryFacts& memory, Findings& findings) {
  for (const InputConfig& input : config.input) {
    findings.push_back(judge(input_facts(input)));
  }
  for (const StageConfig& stage : config.pipeline) {
    findings.push_back(judge(try_model(config, stage, engine)));
  }
  findings.push_back(judge(cap_facts(config.devices.memory, memory)));
  findings.push_back(judge(disk_facts(config.output.dir.resolved, config.output.dir.written)));
  if (std::filesystem::exists(RunLayout{config.output.dir.resolved}.journal())) {
    findings.push_back({Severity::note, "run", config.output.dir.written + " holds a run",
                        "`pantile run` goes on with it", "pantile status, or --output DIR for another one"});
  }
}

Findings look(const std::optional<RunConfig>& config) {
  MpiTrial mpi;  // while it starts, the rest is looked at
  const OpenedEngine engine = open_engine();
  const MemoryFacts memory = memory_facts();
  Findings findings{{Severity::ok, "program", version_line(), "", ""},
                    judge(engine.facts),
                    judge(hdf5_facts()),
                    judge(codec_facts())};
  findings.push_back(judge(cpu_facts()));
  findings.push_back(judge(memory));
  append(findings, judge(limit_facts()));
  findings.push_back(judge(shared_memory_facts()));
  findings.push_back(judge(ConfinementFacts{why_not_confined()}));
  findings.push_back(judge(gpu_facts()));
  findings.push_back(judge(slurm_facts()));
  append(findings, judge(place_facts()));
  if (config) {
    look_at_job(*config, engine.engine.get(), memory, findings);
  } else {
    findings.push_back(judge(disk_facts(".", "this folder")));
  }
  findings.insert(findings.begin() + 4, judge(mpi.facts(patience)));
  return findings;
}

/// Lines after the first one below it.
std::string indented(const std::string& found) {
  std::string text = printable_paragraph(found);
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    text.insert(at + 1, 19, ' ');
  }
  return text;
}

void print(const Findings& findings, TableFormat format) {
  if (format == TableFormat::json) {
    Table table{{"severity", "check", "found", "why", "try"}};
    for (const Finding& finding : findings) {
      table.add({name(finding.severity), finding.check, finding.found, finding.why, finding.attempt});
    }
    fmt::print("{}", table.text(format));
    return;
  }
  for (const Finding& finding : findings) {
    fmt::print("{:<8} {:<9} {}\n", name(finding.severity), finding.check, indented(finding.found));
    for (const auto& [label, text] : {std::pair{"why", finding.why}, std::pair{"try", finding.attempt}}) {
      if (!text.empty()) {
        fmt::print("{:<18} {}: {}\n", "", label, indented(text));
      }
    }
  }
}

}  // namespace

ExitCode carry_out(const DoctorCommand& command) {
  if (is_trial_rank()) {
    return be_trial_rank();
  }
  const std::optional<RunConfig> config = command.job.empty() ? std::nullopt : std::optional{load_config(command.job)};
  const Findings findings = look(config);
  print(findings, command.format);
  const auto count = [&](Severity severity) {
    return std::count_if(findings.begin(), findings.end(), [&](auto& one) { return one.severity == severity; });
  };
  const auto problems = count(Severity::problem);
  const auto warnings = count(Severity::warning);
  std::fflush(stdout);
  log::info("{} problem{}, {} warning{}", problems, problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
  return problems == 0 ? ExitCode::done : ExitCode::failed;
}

}  // namespace pantile::app
