#include "app/item_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "app/item_choice.hpp"
#include "app/run_state.hpp"
#include "report/rank_log_reader.hpp"
#include "store/catalog_file.hpp"
#include "store/shard_reader.hpp"

namespace pantile::app {
namespace {

std::vector<ItemId> items_called(const Catalog& catalog, const std::string& path) {
  std::vector<ItemId> found;
  for (std::uint64_t item = 0; item < catalog.size(); ++item) {
    if (catalog.path(ItemId{item}) == path) {
      found.push_back(ItemId{item});
    }
  }
  return found;
}

std::vector<ItemEvent> events_of(const RunLayout& layout, ItemId item) {
  using Kind = ItemEvent::Kind;
  std::vector<ItemEvent> events;
  replay_journal(layout.journal(), [&](Epoch epoch, const JournalRecord& record) {
    if (const auto* failed = std::get_if<AttemptFailed>(&record); failed != nullptr && failed->item == item) {
      events.push_back({Kind::failed, epoch, failed->attempt, failed->failure});
    } else if (const auto* given_up = std::get_if<ItemQuarantined>(&record);
               given_up != nullptr && given_up->item == item) {
      events.push_back({Kind::quarantined, epoch, given_up->attempts, given_up->failure});
    } else if (const auto* released = std::get_if<Release>(&record); released != nullptr && released->item == item) {
      events.push_back({Kind::released, epoch, 0, {}});
    }
  });
  return events;
}

/// How many of the item's blocks the shard has.
std::uint64_t blocks_in(const CommittedShard& shard, ItemId item, std::map<OutputId, std::uint32_t>& of_blocks) {
  std::uint64_t count = 0;
  for (const RowRange& range : decode_ranges(shard.ranges)) {
    if (index(item) >= index(range.item) && index(item) - index(range.item) < range.items) {
      count += range.blocks;
      of_blocks[range.output] = range.of_blocks;
    }
  }
  return count;
}

void add_rows(ItemHistory& history, const RunLayout& layout, const CommittedShard& shard) {
  const std::optional<ShardName> name = parse_shard_name(shard.name);
  try {
    const ShardReader reader{layout.shard(shard.name)};
    const std::vector<StoredRow> rows = reader.rows();
    for (std::size_t at = 0; at < rows.size(); ++at) {
      if (rows[at].row.key.item == history.item) {
        history.blocks.push_back({.output = reader.outputs()[index(rows[at].row.key.output)].name,
                                  .row = rows[at].row,
                                  .shard = shard.name,
                                  .shard_row = at,
                                  .rank = name ? name->rank : RankId{},
                                  .epoch = name ? name->epoch : Epoch{},
                                  .compute_ms = {},
                                  .write_ms = {},
                                  .plans = {}});
      }
    }
  } catch (const Error& error) {
    history.notes.push_back(
        fmt::format("{}: what it holds of the item is not shown. `pantile verify {} --repair` makes "
                    "it again.",
                    error.what(), layout.root.string()));
  }
}

void add_blocks(ItemHistory& history, const RunLayout& layout, const JournalState& journal) {
  std::map<OutputId, std::uint32_t> of_blocks;
  for (const CommittedShard& shard : journal.shards()) {
    if (blocks_in(shard, history.item, of_blocks) > 0) {
      add_rows(history, layout, shard);
    }
  }
  for (const auto& [output, blocks] : of_blocks) {
    history.blocks_in_all += blocks;
  }
  std::sort(history.blocks.begin(), history.blocks.end(), [](const BlockHistory& a, const BlockHistory& b) {
    return std::pair{a.row.key.output, a.row.key.block} < std::pair{b.row.key.output, b.row.key.block};
  });
}

void add_from_log(BlockHistory& block, const ItemLog& log) {
  if (const LoggedSpan* compute = log.last("compute", block.row.key.block)) {
    block.compute_ms = compute->milliseconds();
    block.plans = log.plans_during(*compute);
  }
  if (const LoggedSpan* write = log.last("write", block.row.key.block)) {
    block.write_ms = write->milliseconds();
  }
}

void add_logs(ItemHistory& history, const RunLayout& layout) {
  std::map<std::pair<RankId, Epoch>, std::optional<ItemLog>> logs;
  for (BlockHistory& block : history.blocks) {
    const auto [found, is_new] = logs.try_emplace({block.rank, block.epoch});
    std::optional<ItemLog>& log = found->second;
    if (is_new) {
      const std::filesystem::path path = rank_log_path(layout.logs(), block.rank);
      log = read_item_log(path, block.epoch, history.item);
      if (!log) {
        history.notes.push_back(
            fmt::format("{} tells nothing of epoch {}: how long rank {} took, and why its tiles were "
                        "what they were, is not known.",
                        path.string(), index(block.epoch), index(block.rank)));
        continue;
      }
      DecodeHistory decode{.rank = block.rank, .epoch = block.epoch, .count = 0, .milliseconds = 0};
      for (const LoggedSpan& span : log->spans) {
        decode.count += span.what == "decode" ? 1 : 0;
        decode.milliseconds += span.what == "decode" ? span.milliseconds() : 0;
      }
      if (decode.count > 0) {
        history.decodes.push_back(decode);
      }
      if (log->plans.empty()) {
        history.notes.push_back(
            fmt::format("{} holds no plan: it was written by an earlier version of pantile, or is "
                        "cut short.",
                        path.string()));
      }
    }
    if (log) {
      add_from_log(block, *log);
    }
  }
}

}  // namespace

const char* name(ItemEvent::Kind kind) noexcept {
  switch (kind) {
    case ItemEvent::Kind::failed: return "failed";
    case ItemEvent::Kind::quarantined: return "quarantined";
    case ItemEvent::Kind::released: break;
  }
  return "released";
}

ItemHistory item_history(const RunLayout& layout, const std::string& item) {
  const JournalState journal = read_journal(layout.journal());
  const Catalog catalog = read_run_catalog(layout, journal.catalog_digest()).catalog;
  const ItemId id = chosen_item(item, items_called(catalog, item), catalog.size());
  ItemHistory history;
  history.item = id;
  history.facts = catalog.item(id);
  history.input = catalog.roots()[history.facts.root].path.string();
  history.run_state = name(run_state(layout, journal).state);
  history.events = events_of(layout, id);
  const auto given_up = journal.quarantine().find(id);
  if (given_up != journal.quarantine().end()) {
    history.status = ItemStatus::quarantined;
    history.quarantine = given_up->second;
  } else {
    history.status = journal.done(id) ? ItemStatus::done : ItemStatus::pending;
  }
  add_blocks(history, layout, journal);
  add_logs(history, layout);
  return history;
}

}  // namespace pantile::app
