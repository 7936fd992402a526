#include "plan/commit_ledger.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"

namespace pantile {

CommitLedger::CommitLedger(Work work) : work_{std::move(work)} {
  work_.sort();
  counts_.reserve(work_.items().size());
  std::uint64_t blocks = 0;
  for (const auto& item : work_.items()) {
    Counts counts{.first_block = static_cast<std::uint32_t>(blocks)};
    for (const auto& range : work_.missing(item)) {
      counts.loose += range.count;
    }
    blocks += counts.loose;
    counts_.push_back(counts);
  }
  expect(blocks <= std::numeric_limits<std::uint32_t>::max(), "the blocks of a run can be counted");
  holders_.assign(blocks, loose_);
}

std::optional<CommitLedger::ItemIndex> CommitLedger::find(ItemId item) const {
  const auto& items = work_.items();
  const auto at =
      std::partition_point(items.begin(), items.end(), [&](const WorkItem& one) { return one.item < item; });
  if (at == items.end() || at->item != item) {
    return std::nullopt;
  }
  return static_cast<ItemIndex>(at - items.begin());
}

std::optional<CommitLedger::Held> CommitLedger::locate(const BlockKey& key) const {
  const auto at = find(key.item);
  if (!at) {
    return std::nullopt;
  }
  std::uint32_t block = counts_[*at].first_block;
  for (const auto& range : work_.missing(item(*at))) {
    if (range.output == key.output && key.block >= range.first && index(key.block) - index(range.first) < range.count) {
      return Held{.item = *at, .block = block + index(key.block) - index(range.first)};
    }
    block += range.count;
  }
  return std::nullopt;
}

std::vector<BlockRange> CommitLedger::loose_blocks(ItemIndex at) const {
  std::vector<BlockRange> loose;
  std::uint32_t block = counts_[at].first_block;
  for (const auto& range : work_.missing(item(at))) {
    bool open = false;  // whether the last range of `loose` goes on here
    for (std::uint32_t i = 0; i < range.count; ++i, ++block) {
      if (holders_[block] != loose_) {
        open = false;
      } else if (open) {
        ++loose.back().count;
      } else {
        loose.push_back({range.output, BlockId{index(range.first) + i}, 1});
        open = true;
      }
    }
  }
  return loose;
}

std::optional<std::vector<bool>> CommitLedger::promise(RankId rank, ShardId shard, std::span<const BlockKey> rows,
                                                       double now_s) {
  const auto serial = static_cast<std::uint32_t>(shards_.size());
  if (!serials_.try_emplace({rank, shard}, serial).second) {
    return std::nullopt;
  }
  auto& record = shards_.emplace_back(Shard{.key = {rank, shard}, .asked_s = now_s});
  std::vector<bool> wanted(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto held = locate(rows[row]);
    if (!held || counts_[held->item].closed || holders_[held->block] != loose_) {
      continue;
    }
    wanted[row] = true;
    holders_[held->block] = first_shard_ + serial;
    --counts_[held->item].loose;
    ++counts_[held->item].promised;
    record.blocks.push_back(*held);
  }
  if (record.blocks.empty()) {
    record.standing = ShardStanding::withdrawn;  // remembered, so that a doubled question is not answered differently
  } else {
    unsettled_.push_back(serial);
  }
  return wanted;
}

ShardStanding CommitLedger::standing(RankId rank, ShardId shard) const {
  const auto found = serials_.find({rank, shard});
  return found == serials_.end() ? ShardStanding::unknown : shards_[found->second].standing;
}

CommitLedger::Shard& CommitLedger::known(RankId rank, ShardId shard) { return shards_[serials_.at({rank, shard})]; }

void CommitLedger::begin_commit(RankId rank, ShardId shard) {
  expect(standing(rank, shard) == ShardStanding::promised, "only a shard whose promise stands is committed");
  known(rank, shard).standing = ShardStanding::committing;
}

std::vector<CommitLedger::ItemIndex> CommitLedger::commit(RankId rank, ShardId shard) {
  const auto now = standing(rank, shard);
  if (now != ShardStanding::promised && now != ShardStanding::committing) {
    return {};
  }
  return settle(known(rank, shard), ShardStanding::committed);
}

std::vector<CommitLedger::ItemIndex> CommitLedger::withdraw(RankId rank, ShardId shard) {
  if (standing(rank, shard) != ShardStanding::promised) {
    return {};
  }
  return settle(known(rank, shard), ShardStanding::withdrawn);
}

std::vector<CommitLedger::ItemIndex> CommitLedger::settle(Shard& shard, ShardStanding standing) {
  const auto serial = static_cast<std::uint32_t>(&shard - shards_.data());
  const bool is_committed = standing == ShardStanding::committed;
  std::vector<ItemIndex> changed;
  for (const auto& held : shard.blocks) {
    expect(holders_[held.block] == first_shard_ + serial, "a promised block is held by its shard alone");
    holders_[held.block] = is_committed ? committed_ : loose_;
    --counts_[held.item].promised;
    if (!is_committed) {
      ++counts_[held.item].loose;
    }
    if (changed.empty() || changed.back() != held.item) {
      changed.push_back(held.item);
    }
  }
  blocks_committed_ += is_committed ? shard.blocks.size() : 0;
  shard.standing = standing;
  shard.blocks = {};
  std::erase(unsettled_, serial);
  return changed;
}

std::vector<CommitLedger::ShardKey> CommitLedger::promised_to(RankId rank) const {
  std::vector<ShardKey> keys;
  for (const auto serial : unsettled_) {
    if (const auto& shard = shards_[serial]; shard.standing == ShardStanding::promised && shard.key.rank == rank) {
      keys.push_back(shard.key);
    }
  }
  return keys;
}

std::vector<CommitLedger::ShardKey> CommitLedger::promised_before(double time_s) const {
  std::vector<ShardKey> keys;
  for (const auto serial : unsettled_) {
    if (const auto& shard = shards_[serial]; shard.standing == ShardStanding::promised && shard.asked_s < time_s) {
      keys.push_back(shard.key);
    }
  }
  return keys;
}

void CommitLedger::check_invariants() const {
  std::vector<Counts> counted(counts_.size());
  std::uint64_t committed = 0;
  for (ItemIndex at = 0; at < counts_.size(); ++at) {
    const std::uint64_t end = at + 1 < counts_.size() ? counts_[at + 1].first_block : holders_.size();
    for (std::uint64_t block = counts_[at].first_block; block < end; ++block) {
      counted[at].loose += holders_[block] == loose_ ? 1 : 0;
      counted[at].promised += holders_[block] >= first_shard_ ? 1 : 0;
      committed += holders_[block] == committed_ ? 1 : 0;
    }
    expect(counted[at].loose == counts_[at].loose, "the count of loose blocks is right");
    expect(counted[at].promised == counts_[at].promised, "the count of promised blocks is right");
  }
  expect(committed == blocks_committed_, "no block is committed twice");
  for (std::uint32_t serial = 0; serial < shards_.size(); ++serial) {
    for (const auto& held : shards_[serial].blocks) {
      expect(holders_[held.block] == first_shard_ + serial, "no block is promised to two shards");
    }
  }
}

}  // namespace pantile
