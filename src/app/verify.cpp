#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "store/verify.hpp"

namespace pantile::app {
namespace {

void print(const VerifyReport& report, TableFormat format) {
  if (format == TableFormat::json) {
    const nlohmann::ordered_json json{
        {"digest", to_string(report.digest)}, {"items", report.items},       {"done", report.done},
        {"quarantined", report.quarantined},  {"problems", report.problems}, {"bad_shards", report.bad_shards}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  if (format == TableFormat::csv) {
    Table table{{"digest", "items", "done", "quarantined", "problems"}};
    table.add({to_string(report.digest), report.items, report.done, report.quarantined,
               std::uint64_t{report.problems.size()}});
    fmt::print("{}", table.text(format));
    return;
  }
  fmt::print("digest       {}\nitems        {}\ndone         {}\nquarantined  {}\nproblems     {}\n",
             to_string(report.digest), report.items, report.done, report.quarantined, report.problems.size());
  for (const std::string& problem : report.problems) {
    fmt::print("  {}\n", problem);
  }
}

}  // namespace

ExitCode carry_out(const VerifyCommand& command) {
  const RunLayout layout = existing_run(command.run);
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const VerifyReport report = verify_run(layout, [&](std::uint64_t checked, std::uint64_t all) {
    if (terminal) {
      fmt::print(stderr, "\r{} of {} read", format_byte_size(checked), format_byte_size(all));
    }
  });
  if (terminal) {
    fmt::print(stderr, "\r\033[K");
  }
  print(report, command.format);
  return report.problems.empty() ? ExitCode::done : ExitCode::differs;
}

}  // namespace pantile::app
