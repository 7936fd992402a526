#include "report/rank_log_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace pantile {
namespace {

using Json = nlohmann::json;

PlanRecord plan_of(const Json& line) {
  const Json& tile = line.at("tile");
  return {.device = line.at("device"),
          .device_class = line.at("device_class"),
          .cap_bytes = line.at("cap_bytes"),
          .predicted_bytes = line.at("predicted_bytes"),
          .tile = {tile.at(0), tile.at(1)},
          .lanes = line.at("lanes"),
          .why = line.at("plan")};
}

LoggedSpan span_of(const Json& line) {
  return {.what = line.at("span"),
          .block = BlockId{line.at("block").get<std::uint32_t>()},
          .begin_us = line.at("begin_us"),
          .end_us = line.at("end_us")};
}

/// Throws what the JSON library throws.
void take(std::optional<ItemLog>& log, Epoch epoch, const Json& line) {
  if (line.contains("rank")) {
    log.reset();  // Its times count from here.
    if (line.at("epoch") == index(epoch)) {
      log.emplace(ItemLog{.epoch = epoch, .spans = {}, .plans = {}});
    }
  } else if (log && line.contains("plan")) {
    log->plans.push_back({.at_us = line.at("at_us"), .plan = plan_of(line)});
  } else if (log && line.contains("span")) {
    log->spans.push_back(span_of(line));
  }
}

}  // namespace

const LoggedSpan* ItemLog::last(std::string_view what, BlockId block) const noexcept {
  const auto found = std::find_if(spans.rbegin(), spans.rend(),
                                  [&](const LoggedSpan& one) { return one.what == what && one.block == block; });
  return found == spans.rend() ? nullptr : &*found;
}

std::vector<PlanRecord> ItemLog::plans_during(const LoggedSpan& span) const {
  std::vector<PlanRecord> found;
  for (const LoggedPlan& one : plans) {
    if (one.at_us <= span.begin_us) {
      found.clear();
    }
    if (one.at_us < span.end_us) {
      found.push_back(one.plan);
    }
  }
  return found;
}

std::optional<ItemLog> read_item_log(const std::filesystem::path& path, Epoch epoch, ItemId item) {
  std::ifstream file{path};
  const std::string mark = fmt::format("\"item\":{},", index(item));
  std::optional<ItemLog> log;
  std::optional<ItemLog> last;
  for (std::string line; std::getline(file, line);) {
    const bool is_span = line.starts_with("{\"span\"");
    // Nearly all lines are spans of other items: they are not worth parsing.
    if ((is_span && line.find(mark) == std::string::npos) || line.starts_with("{\"event\"") || line.empty()) {
      continue;
    }
    try {
      const Json json = Json::parse(line);
      if (json.contains("rank") && log) {
        last = std::move(log);
      }
      take(log, epoch, json);
    } catch (const Json::exception&) {  // cut short by a kill, or of another version
    }
  }
  return log ? log : last;
}

}  // namespace pantile
