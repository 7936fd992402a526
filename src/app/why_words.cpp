#include "app/why_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/byte_size.hpp"
#include "base/printable.hpp"
#include "report/table.hpp"
#include "report/to_json_text.hpp"

namespace pantile::app {
namespace {

using Json = nlohmann::ordered_json;

std::string plural(std::uint64_t count, const char* word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// ---- for people -----------------------------------------------------------------------------------------------------

std::string line(const char* key, const std::string& text) { return fmt::format("{:<9} {}\n", key, printable(text)); }

std::string image_text(const ItemHistory& history) {
  const CatalogItem& facts = history.facts;
  if (facts.extent.empty()) {
    return fmt::format("{} in {}; its header cannot be read", format_byte_size(facts.bytes), history.input);
  }
  return fmt::format("{} px, {} of {} bits, {}{} in {}", to_string(facts.extent),
                     plural(static_cast<std::uint64_t>(facts.channels), "channel"), facts.bits,
                     facts.format == ImageFormat::unknown ? "" : fmt::format("{}, ", name(facts.format)),
                     format_byte_size(facts.bytes), history.input);
}

std::string state_text(const ItemHistory& history) {
  switch (history.status) {
    case ItemStatus::done: return fmt::format("done: {}", plural(history.blocks_in_all, "block"));
    case ItemStatus::quarantined:
      return fmt::format("in quarantine after {}", plural(history.quarantine->attempts, "attempt"));
    case ItemStatus::pending: break;
  }
  const std::string begun = history.blocks_in_all == 0
                                ? std::string{}
                                : fmt::format(" ({} of {} blocks are)", history.blocks.size(), history.blocks_in_all);
  return fmt::format("not done yet{}; the run is {}", begun, history.run_state);
}

std::string event_text(const ItemEvent& event) {
  if (event.kind == ItemEvent::Kind::released) {
    return fmt::format("epoch {}: out of quarantine, to be tried again", index(event.epoch));
  }
  const char* const end = event.kind == ItemEvent::Kind::quarantined ? "; given up" : "";
  return fmt::format("epoch {}, attempt {}: {}: {}{}", index(event.epoch), event.attempt, name(event.failure.fault),
                     event.failure.detail, end);
}

/// What `reason` says need not be said again.
bool has_more_to_tell(const ItemHistory& history) { return history.events.size() > (history.quarantine ? 1U : 0U); }

std::string time_text(double milliseconds) {
  return milliseconds < 1e4 ? fmt::format("{:.1f} ms", milliseconds) : fmt::format("{:.1f} s", milliseconds / 1e3);
}

Cell time_cell(const std::optional<double>& milliseconds) {
  return milliseconds ? Cell{time_text(*milliseconds)} : Cell{};
}

std::string blocks_text(const ItemHistory& history) {
  Table table{{"output", "block", "shard", "row", "rank", "device", "attempt", "tile", "tile peak", "tiles took",
               "compute", "write"}};
  for (const BlockHistory& block : history.blocks) {
    const BlockRow& row = block.row;
    table.add({block.output, std::uint64_t{index(row.key.block)}, block.shard, block.shard_row,
               std::int64_t{index(block.rank)}, row.device_class, std::uint64_t{row.attempt}, to_string(row.tile),
               format_byte_size(row.peak_bytes), time_text(row.milliseconds), time_cell(block.compute_ms),
               time_cell(block.write_ms)});
  }
  return table.text(TableFormat::table);
}

std::string decode_text(const DecodeHistory& decode) {
  return fmt::format("{}{} by rank {}", time_text(decode.milliseconds),
                     decode.count == 1 ? std::string{} : fmt::format(" in {} parts", decode.count), index(decode.rank));
}

/// Which blocks were made under one plan: "block 0", "blocks 0-3, 7".
class BlockNumbers {
 public:
  void add(std::uint32_t block) {
    if (!ranges_.empty() && ranges_.back().second + 1 == block) {
      ranges_.back().second = block;
    } else {
      ranges_.emplace_back(block, block);
    }
  }
  [[nodiscard]] std::string text() const {
    std::string numbers;
    for (const auto& [first, last] : ranges_) {
      numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", first);
      numbers += first == last ? std::string{} : fmt::format("-{}", last);
    }
    const bool one = ranges_.size() == 1 && ranges_.front().first == ranges_.front().second;
    return fmt::format("block{} {}", one ? "" : "s", numbers);
  }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges_;
};

/// Each plan once, with the blocks that were made under it.
std::string plans_text(const ItemHistory& history) {
  std::vector<std::pair<PlanRecord, BlockNumbers>> plans;
  for (const BlockHistory& block : history.blocks) {
    for (const PlanRecord& plan : block.plans) {
      auto found = std::find_if(plans.begin(), plans.end(), [&](const auto& one) { return one.first == plan; });
      if (found == plans.end()) {
        found = plans.insert(plans.end(), {plan, {}});
      }
      found->second.add(index(block.row.key.block));
    }
  }
  std::string text;
  for (const auto& [plan, blocks] : plans) {
    text += line(text.empty() ? "why" : "",
                 fmt::format("{} on {}: cap {}, of which {} predicted", blocks.text(), plan.device,
                             format_byte_size(plan.cap_bytes), format_byte_size(plan.predicted_bytes)));
    text += line("", plan.why);
  }
  return text;
}

// ---- for programs ---------------------------------------------------------------------------------------------------

Json json_of(Extent extent) { return Json::array({extent.height, extent.width}); }

Json json_of(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

Json json_of(const Failure& failure) { return {{"fault", name(failure.fault)}, {"detail", failure.detail}}; }

Json json_of(const PlanRecord& plan) {
  return {{"device", plan.device},         {"cap_bytes", plan.cap_bytes}, {"predicted_bytes", plan.predicted_bytes},
          {"tile_px", json_of(plan.tile)}, {"lanes", plan.lanes},         {"why", plan.why}};
}

Json json_of(const BlockHistory& block) {
  const BlockRow& row = block.row;
  Json json{{"output", block.output},
            {"block", index(row.key.block)},
            {"rect", Json::array({row.rect.y, row.rect.x, row.rect.height, row.rect.width})},
            {"shard", block.shard},
            {"row", block.shard_row},
            {"rank", index(block.rank)},
            {"epoch", index(block.epoch)},
            {"attempt", row.attempt},
            {"device_class", row.device_class},
            {"tile_px", json_of(row.tile)},
            {"milliseconds", row.milliseconds},
            {"peak_bytes", row.peak_bytes},
            {"compute_ms", json_of(block.compute_ms)},
            {"write_ms", json_of(block.write_ms)},
            {"plans", Json::array()}};
  for (const PlanRecord& plan : block.plans) {
    json["plans"].push_back(json_of(plan));
  }
  return json;
}

}  // namespace

std::string why_text(const ItemHistory& history) {
  std::string text = line("item", fmt::format("{}: {}", index(history.item), history.facts.path));
  text += line("image", image_text(history));
  text += line("state", state_text(history));
  if (history.quarantine) {
    text += line("reason",
                 fmt::format("{}: {}", name(history.quarantine->failure.fault), history.quarantine->failure.detail));
  }
  const char* key = "events";
  if (has_more_to_tell(history)) {
    for (const ItemEvent& event : history.events) {
      text += line(std::exchange(key, ""), event_text(event));
    }
  }
  key = "decode";
  for (const DecodeHistory& decode : history.decodes) {
    text += line(std::exchange(key, ""), decode_text(decode));
  }
  text += plans_text(history);
  for (const std::string& note : history.notes) {
    text += line("note", note);
  }
  return history.blocks.empty() ? text : text + "\n" + blocks_text(history);
}

std::string why_json(const ItemHistory& history) {
  const CatalogItem& facts = history.facts;
  Json json{{"item", index(history.item)},
            {"path", facts.path},
            {"input", history.input},
            {"extent_px", json_of(facts.extent)},
            {"channels", facts.channels},
            {"bits", facts.bits},
            {"bytes", facts.bytes},
            {"status", name(history.status)},
            {"run_state", history.run_state},
            {"attempts", history.quarantine ? Json(history.quarantine->attempts) : Json()},
            {"reason", history.quarantine ? json_of(history.quarantine->failure) : Json()},
            {"events", Json::array()},
            {"blocks_in_all", history.blocks_in_all},
            {"decodes", Json::array()},
            {"blocks", Json::array()},
            {"notes", history.notes}};
  for (const ItemEvent& event : history.events) {
    json["events"].push_back({{"event", name(event.kind)},
                              {"epoch", index(event.epoch)},
                              {"attempt", event.attempt},
                              {"fault", name(event.failure.fault)},
                              {"detail", event.failure.detail}});
  }
  for (const DecodeHistory& decode : history.decodes) {
    json["decodes"].push_back({{"rank", index(decode.rank)},
                               {"epoch", index(decode.epoch)},
                               {"count", decode.count},
                               {"milliseconds", decode.milliseconds}});
  }
  for (const BlockHistory& block : history.blocks) {
    json["blocks"].push_back(json_of(block));
  }
  return to_json_text(json);
}

}  // namespace pantile::app
