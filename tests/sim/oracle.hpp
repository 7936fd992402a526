#pragma once
// Who stands outside of the simulated cluster, knows what was promised, and looks at what the disk has. It reads the
// folder by itself: of ours it trusts only the journal's format.

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/process.hpp"
#include "sim/scenario.hpp"
#include "sim/sim_disk.hpp"
#include "sim/trivial_shard.hpp"
#include "store/journal_state.hpp"

namespace pantile::sim {

class Oracle {
 public:
  Oracle(const Scenario& scenario, const SimDisk& disk, RunLayout layout)
      : scenario_{scenario}, disk_{disk}, layout_{std::move(layout)} {}

  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  void complain(std::string text) { complaints_.push_back(std::move(text)); }
  /// What the last look has found to be committed.
  [[nodiscard]] const std::set<BlockKey>& committed() const { return committed_; }

  /// I4: somebody was told of a run in this state. It must stay so, whatever happens.
  void hears_of(const JournalState& state) {
    for (std::size_t i = 0; i < state.shards().size(); ++i) {
      promised_shards_.insert(state.shards()[i].name);
    }
    for (const auto& [item, why] : state.quarantine()) {
      promised_quarantine_.insert(item);
    }
  }
  /// I4: somebody was told that nothing is left to do.
  void hears_of_the_end() { end_is_promised_ = true; }

  /// I5.
  void watch(const Process& process, const std::string& what, const std::filesystem::path& path) {
    const bool writes = what == "write" || what == "resize";
    if (writes && path.extension() == ".h5") {
      complain(fmt::format("I5: {} does \"{}\" to {}", process.name, what, path.string()));
    }
  }

  /// The journal was opened by somebody who owns the run: what it holds now, it holds for good.
  void journal_is_durable() {
    const Bytes valid = valid_journal();
    if (!std::equal(durable_journal_.begin(), durable_journal_.end(), valid.begin(),
                    valid.begin() + static_cast<std::ptrdiff_t>(std::min(valid.size(), durable_journal_.size())))) {
      complain("I3: the journal has changed before its end");
    }
    if (valid.size() < durable_journal_.size()) {
      complain(fmt::format("I3: the journal had {} good bytes and has {}", durable_journal_.size(), valid.size()));
    }
    durable_journal_ = valid;
  }

  /// Nobody is at work, or only somebody of an epoch that is over.
  void look() {
    JournalState state;
    try {
      (void)replay_journal(
          layout_.journal(),
          [&](Epoch epoch, const JournalRecord& record) {
            state.apply(epoch, record);
            const auto* const commit = std::get_if<ShardCommit>(&record);
            if (commit != nullptr && parse_shard_name(commit->shard).value().epoch != epoch) {
              complain(fmt::format("I6: epoch {} commits {}", index(epoch), commit->shard));
            }
          },
          const_cast<SimDisk&>(disk_));
      look_at(state);
    } catch (const std::exception& error) {
      complain(fmt::format("the folder makes no sense: {}", error.what()));
    }
  }

  /// The run says that it is over.
  void look_at_the_end() {
    hears_of_the_end();
    look();
  }

 private:
  [[nodiscard]] Bytes valid_journal() const {
    const Bytes* const all = disk_.content(layout_.journal());
    if (all == nullptr) {
      return {};
    }
    const JournalReplay replay = replay_journal(
        layout_.journal(), [](Epoch, const JournalRecord&) {}, const_cast<SimDisk&>(disk_));
    return {all->begin(), all->begin() + static_cast<std::ptrdiff_t>(replay.valid_bytes)};
  }

  void look_at(const JournalState& state) {
    committed_.clear();
    Hash128 sum;
    for (const CommittedShard& shard : state.shards()) {
      look_at(shard, state, sum);
    }
    for (const std::string& name : promised_shards_) {
      if (state.find_shard(name) == nullptr) {
        complain(fmt::format("I4: {} was committed, somebody was told, and the journal does not know it", name));
      }
    }
    for (const ItemId item : promised_quarantine_) {
      if (!state.quarantined(item)) {
        complain(fmt::format("I4: item {} was in quarantine, and is not", index(item)));
      }
    }
    for (const auto& [item, why] : state.quarantine()) {
      if (!scenario_.is_poison(item)) {
        complain(fmt::format("item {} is good and in quarantine: {} after {} attempts", index(item), why.failure.detail,
                             why.attempts));
      }
    }
    look_at_items(state);
    if (state.items() > 0 && sum != state.content_sum()) {
      complain("I8: the content sum is not that of the rows");
    }
    if ((state.end() || end_is_promised_) && state.pending_items() > 0) {
      complain(fmt::format("I7: the run has ended, and {} items are pending", state.pending_items()));
    }
  }

  void look_at(const CommittedShard& shard, const JournalState& state, Hash128& sum) {
    const Bytes* const content = disk_.content(layout_.shard(shard.name));
    if (content == nullptr) {
      complain(fmt::format("I1: {} is committed and not there", shard.name));
      return;
    }
    const std::size_t sealed = content->size() - std::min<std::size_t>(content->size(), seal_bytes);
    if (content->size() != shard.bytes || xxh3_128(std::span{*content}.first(sealed)) != shard.hash) {
      complain(fmt::format("I1: {} is not what was committed", shard.name));
      return;
    }
    if (!disk_.is_durable(layout_.shard(shard.name))) {
      complain(fmt::format("I1: {} is committed and not durable", shard.name));
    }
    for (const TrivialRow& row : read_trivial_shard(*content)) {
      if (!committed_.insert(row.key).second) {
        complain(fmt::format("I2: {} is committed twice", name_of(row.key)));
      }
      if (!state.committed(row.key)) {
        complain(fmt::format("{} is in {} and not in its record", name_of(row.key), shard.name));
      }
      if (row.pixels != block_pixels(row.key) || row.digest != block_digest(row.key)) {
        complain(fmt::format("{} in {} has other pixels than it should", name_of(row.key), shard.name));
      }
      sum += row.digest;
    }
  }

  /// I7, I8: items are done exactly if all of their blocks are committed, and then have what an undisturbed run makes.
  void look_at_items(const JournalState& state) {
    std::uint64_t done = 0;
    std::uint64_t quarantined = 0;
    for (std::uint64_t i = 0; i < state.items(); ++i) {
      const ItemId item{i};
      const std::uint32_t blocks = BlockGrid{scenario_.extents[i]}.size();
      std::uint32_t there = 0;
      for (std::uint32_t block = 0; block < blocks; ++block) {
        const BlockKey key{item, OutputId{0}, BlockId{block}};
        there += committed_.contains(key) ? 1 : 0;
        if (state.committed(key) != committed_.contains(key)) {
          complain(fmt::format("I1: {} is committed in a record, and in no shard", name_of(key)));
        }
      }
      done += there == blocks ? 1 : 0;
      quarantined += state.quarantined(item) ? 1 : 0;
      if (there == blocks && state.quarantined(item)) {
        complain(fmt::format("I7: item {} is done and in quarantine", i));
      }
    }
    if (done != state.done_items() || done + quarantined + state.pending_items() != state.items()) {
      complain(fmt::format("I7: {} done, {} in quarantine and {} pending are not {} items", done, quarantined,
                           state.pending_items(), state.items()));
    }
  }

  static std::string name_of(const BlockKey& key) {
    return fmt::format("block {} of item {}", index(key.block), index(key.item));
  }

  const Scenario& scenario_;
  const SimDisk& disk_;
  RunLayout layout_;
  std::set<BlockKey> committed_;
  std::set<std::string> promised_shards_;
  std::set<ItemId> promised_quarantine_;
  bool end_is_promised_ = false;
  Bytes durable_journal_;
  std::vector<std::string> complaints_;
};

}  // namespace pantile::sim
