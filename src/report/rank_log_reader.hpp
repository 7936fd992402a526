#pragma once
// Reads what rank logs tell of one item. Logs are for people and may be gone, cut or of another version: what makes no
// sense is passed over, and nothing here throws on account of it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "report/rank_log.hpp"

namespace pantile {

/// As Span, of the item that was asked for. A decode is the whole item's: its block is 0.
struct LoggedSpan {
  std::string what;
  BlockId block{};
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
  [[nodiscard]] double milliseconds() const noexcept { return static_cast<double>(end_us - begin_us) / 1e3; }
};

struct LoggedPlan {
  std::int64_t at_us = 0;
  PlanRecord plan;
};

/// What one start of a rank has logged: all its plans, and what it did with the item. In the order of the file.
struct ItemLog {
  Epoch epoch{};
  std::vector<LoggedSpan> spans;
  std::vector<LoggedPlan> plans;

  /// The last one: an earlier one was of an attempt that came to nothing.
  [[nodiscard]] const LoggedSpan* last(std::string_view what, BlockId block) const noexcept;
  /// What was in force as `span` began, and what came into force before it ended.
  [[nodiscard]] std::vector<PlanRecord> plans_during(const LoggedSpan& span) const;
};

/// Of the last start of `epoch` in a log. Nothing if there is no such file or no such start in it.
[[nodiscard]] std::optional<ItemLog> read_item_log(const std::filesystem::path& path, Epoch epoch, ItemId item);

}  // namespace pantile
