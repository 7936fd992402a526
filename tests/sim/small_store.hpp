#pragma once
// One rank and one journal over any disk: a run of a few items whose store is ours (Journal, remove_orphans, ShardDesk,
// publish_shard) and whose shards are trivial. What a test crashes, resumes, and holds to its word.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "sim/trivial_shard.hpp"
#include "store/adopt.hpp"
#include "store/file_seal.hpp"
#include "store/journal_state.hpp"
#include "store/orphans.hpp"

namespace pantile::sim {

inline constexpr std::uint64_t small_items = 12;
inline constexpr std::uint32_t small_items_per_shard = 3;

inline Bytes small_pixels(std::uint64_t item) { return Bytes(64 + item, static_cast<std::byte>(item + 1)); }

inline BlockRow small_row(std::uint64_t item) {
  BlockRow row;
  row.key = {ItemId{item}, OutputId{0}, BlockId{0}};
  row.item_extent = {1, static_cast<int>(64 + item)};
  row.rect = {0, 0, 1, static_cast<int>(64 + item)};
  row.channels = 1;
  row.digest = xxh3_128(small_pixels(item));
  return row;
}

/// What the outside was promised. Lives longer than the process that promised it.
struct Promises {
  std::set<std::uint64_t> acknowledged;
};

/// A life of the run's process: starts or resumes, and goes on until all is done or the disk fails (SystemError, or
/// what the desk said). Every acknowledgement follows a commit.
class SmallStore {
 public:
  SmallStore(Disk& disk, RunLayout layout, Promises& promises, ShardDesk::OpenShardFile shards = {})
      : disk_{disk},
        layout_{std::move(layout)},
        promises_{promises},
        shards_{shards ? std::move(shards) : trivial_shards(disk, layout_)} {}

  void run() {
    Journal journal = Journal::open(layout_.journal(), state_, disk_);
    journal.pass_over(latest_epoch(layout_, disk_));
    journal.append(RunStart{.time = "t", .items = small_items, .outputs = {{"page", DType::u8}}}, state_);
    if (journal.lost_tail()) {
      put_unnamed_aside(disk_, layout_, state_);
    }
    journal.commit();
    remove_orphans(disk_, layout_, state_, journal.lost_tail() ? Sealed::keep : Sealed::remove);
    std::uint64_t in_hand = 0;
    ShardDesk desk{{.layout = layout_,
                    .epoch = journal.epoch(),
                    .rank = RankId{1},
                    .shard_bytes = std::uint64_t{1} << 20U,
                    .seal_after = std::chrono::seconds{60}},
                   disk_,
                   shards_,
                   [&](const Slot&) { return std::span<const std::byte>{pixels_}; }};
    std::uint32_t in_shard = 0;
    for (; in_hand < small_items; ++in_hand) {
      if (!state_.pending(ItemId{in_hand})) {
        continue;
      }
      pixels_ = small_pixels(in_hand);
      tell(desk, journal, AppendBlock{small_row(in_hand), {}});
      if (++in_shard % small_items_per_shard == 0) {
        tell(desk, journal, SealOpenShard{});
      }
    }
    tell(desk, journal, SealOpenShard{});
    journal.append(RunEnd{}, state_);
    journal.commit();
  }

 private:
  void tell(ShardDesk& desk, Journal& journal, const ShardOrder& order) {
    for (const ShardAnswer& answer : desk.on(order, now_s_ += 0.01)) {
      if (const auto* full = std::get_if<ShardIsFull>(&answer); full != nullptr && !full->rows.empty()) {
        tell(desk, journal, FinishShard{full->shard, std::vector<bool>(full->rows.size(), true)});
      } else if (const auto* finished = std::get_if<ShardIsFinished>(&answer)) {
        journal.append(to_commit(finished->sealed), state_);
        journal.commit();
        for (const BlockRow& row : finished->sealed.rows) {
          promises_.acknowledged.insert(index(row.key.item));
        }
      } else if (const auto* lost = std::get_if<ShardIsCondemned>(&answer)) {
        throw system_error(lost->text, lost->number);
      } else if (const auto* failed = std::get_if<StoreHasFailed>(&answer)) {
        throw Error{failed->text};
      }
    }
  }

  Disk& disk_;
  RunLayout layout_;
  Promises& promises_;
  ShardDesk::OpenShardFile shards_;
  JournalState state_;
  Bytes pixels_;
  double now_s_ = 0;
};

/// The run folder on `disk` is one that a resume can trust: what was acknowledged is committed, and each shard that the
/// journal names is there with the size and hash that it was committed with.
inline void expect_trustworthy(Disk& disk, const RunLayout& layout, const Promises& promises) {
  const JournalState state = read_journal(layout.journal(), disk);
  for (const std::uint64_t item : promises.acknowledged) {
    ASSERT_TRUE(state.done(ItemId{item})) << "item " << item << " was acknowledged and is lost";
  }
  for (const CommittedShard& shard : state.shards()) {
    ASSERT_TRUE(disk.exists(layout.shard(shard.name))) << shard.name << " is committed and not there";
    const SealCheck seal = check_seal(*disk.open(layout.shard(shard.name), Access::read));
    ASSERT_EQ(seal.found, (FileHash{shard.hash, shard.bytes})) << shard.name << " is not what was committed";
    ASSERT_TRUE(seal.holds) << shard.name;
  }
}

/// All is done, and nothing is left over in shards/.
inline void expect_complete(Disk& disk, const RunLayout& layout) {
  const JournalState state = read_journal(layout.journal(), disk);
  ASSERT_EQ(state.done_items(), small_items);
  ASSERT_TRUE(state.end().has_value());
  Hash128 content;
  for (std::uint64_t item = 0; item < small_items; ++item) {
    content += small_row(item).digest;
  }
  ASSERT_EQ(state.content_sum(), content);
  ASSERT_EQ(disk.list(layout.shards()).size(), state.shards().size());
}

}  // namespace pantile::sim
