// `pantile plan`: what a run would do, before it does it.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "app/job_file.hpp"
#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "base/printable.hpp"
#include "report/progress_words.hpp"
#include "report/to_json_text.hpp"
#include "run/disk_needs.hpp"
#include "run/job_plan.hpp"

namespace pantile::app {
namespace {

using Json = nlohmann::ordered_json;

std::string px_text(Extent extent) {
  return extent.height == extent.width ? fmt::format("{} px", extent.width) : to_string(extent) + " px";
}

std::string time_text(double seconds) {
  if (seconds < 60) {
    return fmt::format("{:.1f} s", seconds);
  }
  return words::duration(std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(seconds)));
}

std::string range_text(const Duration& time) {
  return fmt::format("{} ({} to {})", time_text(time.likely_s), time_text(time.low_s), time_text(time.high_s));
}

std::string plural(std::uint64_t count, const char* word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string halo_text(const Margin& halo) {
  const bool is_even = halo.top == halo.left && halo.top == halo.bottom && halo.top == halo.right;
  return is_even ? fmt::format("halo {} px", halo.top)
                 : fmt::format("halo {}, {}, {}, {} px (top, left, bottom, right)", halo.top, halo.left, halo.bottom,
                               halo.right);
}

// ---- for people -----------------------------------------------------------------------------------------------------

void print_line(const char* key, const std::string& text) { fmt::print("{:<9} {}\n", key, printable(text)); }

/// What is settled, and why the rest of it is not done.
void print_standing(const JobPlan& plan) {
  const JournalState& state = plan.job.state;
  print_line("items",
             fmt::format("{}: {} done, {} in quarantine, {} to do", plan.job.catalog.size(), state.done_items(),
                         state.quarantine().size() + plan.job.hopeless.size(), plan.job.work.items().size()));
  std::map<std::string_view, std::uint64_t> reasons;
  for (const auto& [item, quarantined] : state.quarantine()) {
    ++reasons[name(quarantined.failure.fault)];
  }
  for (const HopelessItem& one : plan.job.hopeless) {
    ++reasons[name(one.failure.fault)];
  }
  for (const auto& [reason, count] : reasons) {
    print_line("", fmt::format("{} {}", count, reason));
  }
  constexpr std::size_t most_named = 5;
  for (std::size_t i = 0; i < std::min(most_named, plan.job.hopeless.size()); ++i) {
    const HopelessItem& one = plan.job.hopeless[i];
    print_line("", fmt::format("{}: {}", plan.job.catalog.path(one.item), one.failure.detail));
  }
}

void print_classes(const Prediction& prediction) {
  Table table{{"up to", "items", "input", "tile", "tiles", "a tile", "device peak", "time"}};
  for (const ResolutionClass& one : prediction.classes) {
    table.add({words::pixels(static_cast<double>(one.max_px)), one.items,
               words::pixels(static_cast<double>(one.pixels)), px_text(one.tile), one.tiles,
               format_byte_size(one.tile_bytes), format_byte_size(one.peak_bytes),
               fmt::format("{:.0f} %", 100 * one.time_share)});
  }
  fmt::print("\n{}\n", table.text(TableFormat::table));
}

void print_what_if(const PlanCommand& command, const JobPlan& plan) {
  if (plan.what_if.empty()) {
    return;
  }
  Table table{{"what if", "devices", "tile", "lanes", "device peak", "time", "from", "to"}};
  const auto add = [&](const std::string& title, const Prediction& one) {
    table.add({title, std::int64_t{one.workers}, px_text(one.tiles.core), std::int64_t{one.tiles.lanes},
               format_byte_size(one.peak_bytes), time_text(one.time.likely_s), time_text(one.time.low_s),
               time_text(one.time.high_s)});
  };
  add("as it is", plan.here);
  for (std::size_t i = 0; i < plan.what_if.size(); ++i) {
    add(command.what_if[i], plan.what_if[i]);
  }
  fmt::print("\n{}", table.text(TableFormat::table));
}

std::string disk_text(const JobPlan& plan, const std::string& folder) {
  std::string text = fmt::format("{} in {}", format_byte_size(plan.disk_bytes), folder);
  if (plan.free_bytes) {
    text += fmt::format(", {} free", format_byte_size(*plan.free_bytes));
  }
  return text;
}

void print_table(const PlanCommand& command, const RunConfig& config, const JobPlan& plan) {
  const ModelFacts& facts = plan.job.facts;
  const std::string folder = shown(config.output.dir.resolved);
  print_line("job", fmt::format("{}: {}, {}x, {}", config.name, config.pipeline.front().model.written,
                                facts.geometry.scale, halo_text(facts.geometry.halo)));
  print_standing(plan);
  if (plan.job.work.items().empty()) {
    print_line("next", plan.job.state.end() ? "nothing is left to do: pantile verify " + folder
                                            : "pantile run " + shown(std::filesystem::absolute(command.job)));
    return;
  }
  const Prediction& here = plan.here;
  print_line("devices", fmt::format("{} × {}, {} each, cap {}; {}", here.workers, here.device_class,
                                    plural(static_cast<std::uint64_t>(here.tiles.lanes), "lane"),
                                    format_byte_size(here.cap_bytes), here.engine));
  print_line("tiles", here.tiles.why);
  print_classes(here);
  print_line("memory", fmt::format("{} of {} on each device at most", format_byte_size(here.peak_bytes),
                                   format_byte_size(here.cap_bytes)));
  print_line("time", range_text(here.time));
  print_line("disk", disk_text(plan, folder));
  print_line("plan", to_string(plan.job.plan_id()));
  print_what_if(command, plan);
}

// ---- for programs ---------------------------------------------------------------------------------------------------

Json json_of(Extent extent) { return Json::array({extent.height, extent.width}); }

Json json_of(const Margin& halo) { return Json::array({halo.top, halo.left, halo.bottom, halo.right}); }

Json json_of(const Prediction& one, const Margin& halo) {
  Json classes = Json::array();
  for (const ResolutionClass& each : one.classes) {
    classes.push_back({{"max_px", each.max_px},
                       {"items", each.items},
                       {"pixels", each.pixels},
                       {"tile_px", json_of(each.tile)},
                       {"halo_px", json_of(halo)},
                       {"tiles", each.tiles},
                       {"lanes", one.tiles.lanes},
                       {"tile_bytes", each.tile_bytes},
                       {"peak_bytes", each.peak_bytes},
                       {"time_share", each.time_share}});
  }
  return {{"nodes", one.nodes},
          {"devices", one.workers},
          {"device_class", one.device_class},
          {"engine", one.engine},
          {"cap_bytes", one.cap_bytes},
          {"tile_px", json_of(one.tiles.core)},
          {"lanes", one.tiles.lanes},
          {"why", one.tiles.why},
          {"classes", std::move(classes)},
          {"peak_bytes", one.peak_bytes},
          {"time_s", {one.time.low_s, one.time.high_s}},
          {"likely_s", one.time.likely_s}};
}

void print_json(const PlanCommand& command, const JobPlan& plan) {
  const Prospect& job = plan.job;
  Json json{{"plan_id", to_string(job.plan_id())},
            {"items", job.catalog.size()},
            {"done", job.state.done_items()},
            {"quarantined", job.state.quarantine().size() + job.hopeless.size()},
            {"units", job.work.items().size()},
            {"disk_bytes", plan.disk_bytes},
            {"disk_free_bytes", plan.free_bytes ? Json(*plan.free_bytes) : Json()}};
  if (job.work.items().empty()) {
    json.update({{"classes", Json::array()}, {"peak_bytes", 0}, {"time_s", {0, 0}}, {"likely_s", 0}});
  } else {
    json.update(json_of(plan.here, job.facts.geometry.halo));
  }
  Json what_if = Json::array();
  for (std::size_t i = 0; i < plan.what_if.size(); ++i) {
    what_if.push_back(json_of(plan.what_if[i], job.facts.geometry.halo));
    what_if.back()["what_if"] = command.what_if[i];
  }
  json["what_if"] = std::move(what_if);
  fmt::print("{}", to_json_text(json));
}

void print_csv(const JobPlan& plan) {
  Table table{{"max_px", "items", "pixels", "tile_height_px", "tile_width_px", "tiles", "lanes", "tile_bytes",
               "peak_bytes", "time_share"}};
  for (const ResolutionClass& one : plan.here.classes) {
    table.add({one.max_px, one.items, one.pixels, std::int64_t{one.tile.height}, std::int64_t{one.tile.width},
               one.tiles, std::int64_t{plan.here.tiles.lanes}, one.tile_bytes, one.peak_bytes, one.time_share});
  }
  fmt::print("{}", table.text(TableFormat::csv));
}

}  // namespace

ExitCode carry_out(const PlanCommand& command) {
  log::set_level(log::Level::warn);
  const RunConfig config = load_job(command.job, command.output, command.sets).config;
  std::vector<WhatIf> asked;
  std::transform(command.what_if.begin(), command.what_if.end(), std::back_inserter(asked), parse_what_if);
  const JobPlan plan =
      plan_job(config, {.fresh = command.fresh, .retry_failed = command.retry_failed}, command.ranks, asked);
  switch (command.format) {
    case TableFormat::table: print_table(command, config, plan); break;
    case TableFormat::json: print_json(command, plan); break;
    case TableFormat::csv: print_csv(plan); break;
  }
  if (const auto warning = space_warning(plan.disk_bytes, plan.free_bytes)) {
    log::warn("{}", *warning);
  }
  return ExitCode::done;
}

}  // namespace pantile::app
