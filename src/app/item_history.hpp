#pragma once
// All that a run folder tells of one item: what it is, what became of it, and why it was made as it was. Gathered from
// the journal, the catalog, the shards and the rank logs, whether the run has ended or not.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/rank_log.hpp"
#include "source/catalog.hpp"
#include "store/format.hpp"
#include "store/index_table.hpp"
#include "store/journal_state.hpp"

namespace pantile::app {

/// A block that is committed.
struct BlockHistory {
  std::string output;
  BlockRow row;
  std::string shard;
  std::uint64_t shard_row = 0;
  RankId rank{};
  Epoch epoch{};
  // From the rank's log, if it is there.
  std::optional<double> compute_ms;  ///< from its first tile to its last
  std::optional<double> write_ms;
  std::vector<PlanRecord> plans;  ///< in force as it was made; several if that changed meanwhile
};

/// The item was decoded by a rank that has made blocks of it.
struct DecodeHistory {
  RankId rank{};
  Epoch epoch{};
  std::uint64_t count = 0;
  double milliseconds = 0;  ///< of all together
};

/// What the journal says of it besides commits.
struct ItemEvent {
  enum class Kind { failed, quarantined, released };
  Kind kind = Kind::failed;
  Epoch epoch{};
  std::uint32_t attempt = 0;
  Failure failure;
};
[[nodiscard]] const char* name(ItemEvent::Kind kind) noexcept;

struct ItemHistory {
  ItemId item{};
  CatalogItem facts;
  std::string input;  ///< what it lies in
  ItemStatus status = ItemStatus::pending;
  std::optional<QuarantinedItem> quarantine;
  std::string run_state;  ///< what the run does: "running"
  std::vector<ItemEvent> events;
  std::vector<BlockHistory> blocks;
  std::uint64_t blocks_in_all = 0;  ///< of those outputs that have some; 0: none is committed
  std::vector<DecodeHistory> decodes;
  std::vector<std::string> notes;  ///< what could not be found out, in words
};

/// `item`: path or number. Throws UsageError if there is no such item, Error if journal or catalog cannot be read. What
/// a lost log or shard would have told is missing, and a note says so.
[[nodiscard]] ItemHistory item_history(const RunLayout& layout, const std::string& item);

}  // namespace pantile::app
