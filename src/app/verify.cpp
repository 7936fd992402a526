#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/commands.hpp"
#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "base/printable.hpp"
#include "report/to_json_text.hpp"
#include "run/recompute.hpp"
#include "run/repair.hpp"
#include "run/signals.hpp"
#include "store/compare.hpp"
#include "store/verify.hpp"

namespace pantile::app {
namespace {

/// What is known of a run when all was looked at.
struct Findings {
  VerifyReport report;
  std::vector<std::string> repaired{};  ///< what --repair did
  std::optional<SampleReport> sample{};
  std::optional<Comparison> comparison{};

  [[nodiscard]] bool sound() const {
    const bool same = !sample || (sample->differ.empty() && sample->changed.empty() && sample->failed.empty());
    return report.problems.empty() && same && (!comparison || comparison->same());
  }
};

const char* state_of(const VerifyReport& report) {
  return report.running ? "running" : report.ended ? "ended" : "not ended";
}

nlohmann::ordered_json to_json(const SampleReport& sample) {
  return {{"seed", sample.seed},     {"items", sample.items},     {"equal", sample.equal},
          {"differ", sample.differ}, {"changed", sample.changed}, {"failed", sample.failed}};
}

nlohmann::ordered_json to_json(const Comparison& found) {
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  for (const ItemDifference& item : found.items) {
    items.push_back({{"path", item.path},
                     {"output", item.output},
                     {"what", item.what},
                     {"pixels", item.pixels.pixels},
                     {"of_pixels", item.pixels.of_pixels},
                     {"largest", item.pixels.largest}});
  }
  return {{"equal", found.equal},
          {"within_tolerance", found.within},
          {"differ", found.items.size()},
          {"only_here", found.only_here},
          {"only_there", found.only_there},
          {"neither", found.neither},
          {"largest", found.largest},
          {"largest_path", found.largest_path},
          {"device_classes", found.classes},
          {"settings", found.settings},
          {"items", items}};
}

nlohmann::ordered_json to_json(const Findings& found) {
  const VerifyReport& report = found.report;
  nlohmann::ordered_json json{{"digest", to_string(report.digest)},
                              {"items", report.items},
                              {"done", report.done},
                              {"quarantined", report.quarantined},
                              {"state", state_of(report)},
                              {"problems", report.problems},
                              {"notes", report.notes},
                              {"bad_files", report.bad_files},
                              {"bad_shards", report.bad_shards},
                              {"repaired", found.repaired}};
  if (found.sample) {
    json["sample"] = to_json(*found.sample);
  }
  if (found.comparison) {
    json["against"] = to_json(*found.comparison);
  }
  return json;
}

void print_indented(const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences) {
    fmt::print("  {}\n", printable(sentence));
  }
}

void print_table(const VerifyReport& report) {
  fmt::print("digest       {}\nitems        {}\ndone         {}\nquarantined  {}\nproblems     {}\n",
             to_string(report.digest), report.items, report.done, report.quarantined, report.problems.size());
  print_indented(report.problems);
  if (report.running) {
    fmt::print("running      {}; what is committed so far was read\n", to_string(*report.running));
  }
  print_indented(report.notes);
}

void print_table(const SampleReport& sample) {
  fmt::print("sample       {} items made again, {} equal, {} differ, {} with another input, {} failed (--seed {})\n",
             sample.items, sample.equal, sample.differ.size(), sample.changed.size(), sample.failed.size(),
             sample.seed);
  print_indented(sample.differ);
  print_indented(sample.changed);
  print_indented(sample.failed);
}

void print_table(const Comparison& found) {
  fmt::print("against      {} equal, {} within the tolerance, {} differ, {} only here, {} only there, {} in neither\n",
             found.equal, found.within, found.items.size(), found.only_here, found.only_there, found.neither);
  for (const ItemDifference& item : found.items) {
    fmt::print("  {}\n", printable(fmt::format("{} ({}): {}", item.path, item.output, item.what)));
  }
  print_indented(found.only);
  if (found.largest > 0) {
    fmt::print("largest      {:.4g} of 255, of {}\n", found.largest, printable(found.largest_path));
  }
  if (found.classes[0] != found.classes[1]) {
    fmt::print("devices      {} here, {} there: results of two classes may be rounded differently\n",
               printable(fmt::format("{}", fmt::join(found.classes[0], ", "))),
               printable(fmt::format("{}", fmt::join(found.classes[1], ", "))));
  }
  if (!found.settings.empty()) {
    fmt::print("settings     differ (- here, + there):\n{}", printable_paragraph(found.settings));
  }
}

void print(const Findings& found, TableFormat format) {
  if (format == TableFormat::json) {
    fmt::print("{}", to_json_text(to_json(found)));
    return;
  }
  if (format == TableFormat::csv) {
    const VerifyReport& report = found.report;
    Table table{{"digest", "items", "done", "quarantined", "problems"}};
    table.add({to_string(report.digest), report.items, report.done, report.quarantined,
               std::uint64_t{report.problems.size()}});
    fmt::print("{}", table.text(format));
    return;
  }
  print_table(found.report);
  if (found.sample) {
    print_table(*found.sample);
  }
  if (found.comparison) {
    print_table(*found.comparison);
  }
}

/// Redrawn on a terminal, silent elsewhere.
class ReadingProgress {
 public:
  ~ReadingProgress() { clear(); }
  void show(std::uint64_t checked, std::uint64_t all) {
    if (terminal_) {
      fmt::print(stderr, "\r{} of {} read", format_byte_size(checked), format_byte_size(all));
      drawn_ = true;
    }
    if (checked >= all) {
      clear();
    }
  }

 private:
  void clear() {
    if (std::exchange(drawn_, false)) {
      fmt::print(stderr, "\r\033[K");
    }
  }
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool drawn_ = false;
};

}  // namespace

ExitCode carry_out(const VerifyCommand& command) {
  const RunLayout layout = run_or_its_remains(command.run);
  const std::optional<SampleSize> size =
      command.sample.empty() ? std::nullopt : std::optional{parse_sample_size(command.sample)};
  const std::optional<RunLayout> other =
      command.against.empty() ? std::nullopt : std::optional{existing_run(command.against)};
  ReadingProgress reading;
  const auto progress = [&](std::uint64_t checked, std::uint64_t all) { reading.show(checked, all); };
  Findings found;
  if (command.repair) {
    watch_stop_signals(true);
    Repair repair = repair_run(layout, ::isatty(STDERR_FILENO) == 1, progress);
    found = {.report = std::move(repair.after), .repaired = std::move(repair.done)};
    if (!repair.why_not.empty()) {
      log::error("{}", repair.why_not);
    }
    if (repair.stopped) {
      log::info("the repair was stopped; the same command goes on with it");
      print(found, command.format);
      return ExitCode::stopped;
    }
  } else {
    found.report = verify_run(layout, progress);
  }
  try {
    if (size) {
      found.sample = recompute_sample(layout, found.report, *size, command.seed);
    }
    if (other) {
      found.comparison = compare_runs(layout, *other, command.tolerance);
    }
  } catch (const Error&) {
    print(found, command.format);  // What was found so far may have taken hours.
    throw;
  }
  print(found, command.format);
  return found.sound() ? ExitCode::done : ExitCode::differs;
}

}  // namespace pantile::app
