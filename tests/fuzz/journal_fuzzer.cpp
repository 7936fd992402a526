// A journal: a whole file as it is, if the input begins like one; else records, each of which is framed here as the
// journal would, so that what is behind the checksums is reached:
//
//     record = u8 type | u8 epochs passed over | u16 payload bytes | payload
//
// What the journal's state says is held against a plain set of blocks.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "sim/sim_disk.hpp"
#include "store/journal.hpp"
#include "store/journal_records.hpp"
#include "store/journal_state.hpp"

namespace {

using namespace pantile;

const std::filesystem::path folder = "/run";
const RunLayout layout{folder};

// A state takes a bit for each item, and one for each block that an item says it has: the largest that a small input
// can ask for is gigabytes. Fewer are enough to find mistakes.
constexpr std::uint64_t most_items = 2'000;
constexpr std::size_t most_outputs = 4;
constexpr std::uint64_t most_rows = 10'000;

bool is_small(const std::vector<RowRange>& ranges) {
  std::uint64_t rows = 0;
  for (const RowRange& range : ranges) {
    if (range.items > most_items || range.of_blocks > most_items || range.blocks > most_items) {
      return false;
    }
    rows += range.rows();
  }
  return rows <= most_rows;
}

bool is_small(const JournalRecord& record) {
  if (const auto* start = std::get_if<RunStart>(&record)) {
    return start->items <= most_items && start->outputs.size() <= most_outputs;
  }
  if (const auto* commit = std::get_if<ShardCommit>(&record)) {
    return is_small(commit->ranges);
  }
  if (const auto* adopted = std::get_if<ShardAdopted>(&record)) {
    return is_small(adopted->commit.ranges);
  }
  return true;
}

/// What is committed, the plain way.
class Oracle {
 public:
  void take(const JournalRecord& record) {
    if (const auto* commit = std::get_if<ShardCommit>(&record)) {
      add(*commit);
    } else if (const auto* adopted = std::get_if<ShardAdopted>(&record)) {
      add(adopted->commit);
    } else if (const auto* retired = std::get_if<ShardRetired>(&record)) {
      const auto shard = shards_.extract(retired->shard);
      expect(!shard.empty(), "only what is committed is retired");
      for (const BlockKey& key : shard.mapped()) {
        blocks_.erase(key);
      }
    }
  }
  void expect_agrees(const JournalState& state) const {
    expect(state.rows() == blocks_.size() && state.shards().size() == shards_.size(), "rows and shards are counted");
    for (const BlockKey& key : blocks_) {
      expect(state.committed(key) && !state.wanted(key), "what was committed is committed");
    }
    std::uint64_t done = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t pending = 0;
    for (std::uint64_t item = 0; item < state.items(); ++item) {
      done += state.done(ItemId{item}) ? 1 : 0;
      quarantined += state.quarantined(ItemId{item}) ? 1 : 0;
      pending += state.pending(ItemId{item}) ? 1 : 0;
    }
    expect(done == state.done_items() && pending == state.pending_items() && quarantined == state.quarantine().size() &&
               done + pending + quarantined == state.items(),
           "an item is in exactly one of done, quarantined and pending");
  }

 private:
  void add(const ShardCommit& commit) {
    std::vector<BlockKey>& keys = shards_[commit.shard];
    for (const RowRange& range : commit.ranges) {
      for (std::uint64_t item = 0; item < range.items; ++item) {
        for (std::uint32_t block = 0; block < range.blocks; ++block) {
          keys.push_back({ItemId{index(range.item) + item}, range.output, BlockId{index(range.block) + block}});
          expect(blocks_.insert(keys.back()).second, "no block is committed twice");
        }
      }
    }
  }

  std::set<BlockKey> blocks_;
  std::map<std::string, std::vector<BlockKey>> shards_;
};

void expect_same(const JournalState& a, const JournalState& b) {
  expect(a.epoch() == b.epoch() && a.items() == b.items() && a.outputs() == b.outputs() && a.rows() == b.rows() &&
             a.done_items() == b.done_items() && a.pending_items() == b.pending_items() &&
             a.quarantine().size() == b.quarantine().size() && a.content_sum() == b.content_sum() &&
             a.shards().size() == b.shards().size() && a.end().has_value() == b.end().has_value() &&
             a.identity() == b.identity() && a.plan() == b.plan(),
         "a journal that is read again says the same");
}

Bytes payload_of(const JournalRecord& record) {
  Writer writer;
  encode_record(writer, record);
  return std::move(writer).bytes();
}

void expect_one_form(const JournalRecord& record) {
  const Bytes payload = payload_of(record);
  Reader reader{payload};
  expect(payload_of(decode_record(type_of(record), reader)) == payload, "a record reads back as it was written");
}

void run_records(fuzz::Choices choices) {
  sim::SimDisk disk;
  disk.make_folder(folder);
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state, disk);
  Oracle oracle;
  while (!choices.empty()) {
    const auto type = choices.number<std::uint8_t>();
    const auto passed = choices.number<std::uint8_t>();
    Reader reader{choices.take(choices.number<std::uint16_t>())};
    try {
      const JournalRecord record = decode_record(type, reader);
      expect_one_form(record);
      const bool starts = std::holds_alternative<RunStart>(record);
      if (!is_small(record) || (!starts && index(journal.epoch()) == 0)) {
        continue;
      }
      if (starts && passed > 0) {
        journal.pass_over(Epoch{index(journal.epoch()) + passed});
      }
      journal.append(record, state);
      oracle.take(record);
    } catch (const Error&) {
      // It says nothing, or contradicts what is known: then nothing has changed.
    }
    oracle.expect_agrees(state);
  }
  journal.commit();
  expect_same(read_journal(layout.journal(), disk), state);
}

void run_file(std::span<const std::byte> bytes) {
  sim::SimDisk disk;
  disk.make_folder(folder);
  disk.open(layout.journal(), Access::create)->write(0, bytes);
  std::uint64_t epochs = 0;
  JournalState state;
  try {
    bool small = true;
    const JournalReplay replay = replay_journal(
        layout.journal(),
        [&](Epoch epoch, const JournalRecord& record) {
          epochs += std::holds_alternative<RunStart>(record) ? 1 : 0;
          small = small && is_small(record);
          if (small) {
            state.apply(epoch, record);
          }
        },
        disk);
    expect(replay.valid_bytes <= bytes.size(), "what is read of a file is in it");
    if (!small) {
      return;
    }
    JournalState resumed;
    Journal journal = Journal::open(layout.journal(), resumed, disk);
    expect_same(resumed, state);
    if (epochs > 0 && index(state.epoch()) < 0xFFFFFFFF) {
      journal.append(resumed.next_start("now"), resumed);
      journal.commit();
      expect_same(read_journal(layout.journal(), disk), resumed);
    }
  } catch (const Error&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::be_quiet();
  const auto bytes = fuzz::bytes_of(data, size);
  if (size > 0 && data[0] == 'P') {
    run_file(bytes);
  } else {
    run_records(fuzz::Choices{bytes});
  }
  return 0;
}
