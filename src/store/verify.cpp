#include "store/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <unordered_map>

#include "base/file.hpp"
#include "image/block_grid.hpp"
#include "source/catalog.hpp"
#include "store/catalog_file.hpp"
#include "store/digest.hpp"
#include "store/file_hash.hpp"
#include "store/index_reader.hpp"
#include "store/index_table.hpp"
#include "store/journal_state.hpp"
#include "store/run_folder.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

constexpr std::size_t most_named = 5;  // items that one sentence names; the rest is counted

/// One pass over a run. Every step turns what it finds, exceptions included, into sentences.
class Check {
 public:
  Check(const RunLayout& layout, const std::function<void(std::uint64_t, std::uint64_t)>& progress)
      : layout_{layout}, progress_{progress} {}

  VerifyReport run() {
    step("journal", [&] { read_journal_file(); });
    step("catalog.h5", [&] { check_catalog(); });
    IndexTable table{state_.items(), state_.outputs().size()};
    for (std::size_t at = 0; at < state_.shards().size(); ++at) {
      check_shard(static_cast<std::uint32_t>(at), table);
    }
    const RunTotals totals = table.finish(state_);
    report_.digest = totals.digest;
    report_.items = totals.items;
    report_.done = totals.done;
    report_.quarantined = totals.quarantined;
    check_complete(table);
    if (state_.end() && state_.end()->digest != totals.digest) {
      problem(fmt::format("the run ended with the digest {}, but what is there has {}", to_string(state_.end()->digest),
                          to_string(totals.digest)));
    }
    step("run.yaml", [&] { check_identity(); });
    if (std::filesystem::exists(layout_.index())) {
      step("index.h5", [&] { check_index(table, totals); });
    } else if (state_.end()) {
      problem("index.h5 is missing although the run has ended; it can be made again from the journal and the shards");
    }
    return std::move(report_);
  }

 private:
  void problem(std::string text) { report_.problems.push_back(std::move(text)); }

  template <class Action>
  bool step(const std::string& what, Action action) {
    try {
      action();
      return true;
    } catch (const std::exception& error) {
      problem(what + ": " + error.what());
      return false;
    }
  }

  void read_journal_file() {
    if (!std::filesystem::exists(layout_.journal())) {
      throw Error{"it is missing: nothing is committed"};
    }
    const JournalReplay replay = replay_journal(
        layout_.journal(), [&](Epoch epoch, const JournalRecord& record) { state_.apply(epoch, record); });
    if (replay.valid_bytes < replay.file_bytes) {
      problem(
          fmt::format("journal: {} bytes behind its {} good records are damaged, or were cut short by a crash (a "
                      "resume cuts them off and does again what they said)",
                      replay.file_bytes - replay.valid_bytes, replay.records));
    }
    for (const CommittedShard& shard : state_.shards()) {
      bytes_total_ += shard.bytes;
    }
  }

  /// The journal names the catalog that holds, run.yaml the one that the run began with.
  void check_catalog() {
    StoredCatalog stored = read_run_catalog(layout_, state_.catalog_digest());
    catalog_ = std::move(stored.catalog);
    if (state_.items() != catalog_.size()) {
      problem(fmt::format("catalog.h5 has {} items, the journal {}", catalog_.size(), state_.items()));
    } else if (catalog_.digest() != state_.catalog_digest()) {
      problem("catalog.h5: it is not the one that the run was last started with");
    }
    const std::string first = to_string(stored.first_digest);
    if (std::filesystem::exists(layout_.identity()) && read_identity(layout_).text.find(first) == std::string::npos) {
      problem("catalog.h5: it does not go back to the catalog that run.yaml names");
    }
  }

  void check_shard(std::uint32_t at, IndexTable& table) {
    const CommittedShard& shard = state_.shards()[at];
    const std::size_t problems_before = report_.problems.size();
    step("shard " + shard.name, [&] {
      // HDF5 trusts what it reads: a file that is not the one we wrote is not opened.
      check_file(shard);
      const ShardReader reader{layout_.shard(shard.name)};
      std::vector<StoredRow> rows = reader.rows();
      check_against_journal(shard, rows);
      for (StoredRow& stored : rows) {
        check_source(stored.row);
        stored.row.digest = check_row(reader, stored);  // the run digest is that of the pixels, not of what rows claim
      }
      if (const std::size_t doubled = table.add(at, rows); doubled > 0) {
        throw Error{fmt::format("{} of its rows contradict rows of other shards", doubled)};
      }
    });
    if (report_.problems.size() > problems_before) {
      report_.bad_shards.push_back(shard.name);
    }
  }

  void check_file(const CommittedShard& shard) {
    const auto path = layout_.shard(shard.name);
    if (!std::filesystem::exists(path)) {
      throw Error{fmt::format("the file is missing; {} are lost", rows_in_words(shard))};
    }
    const File file = open_file(path, O_RDONLY);
    const FileHash found = hash_file(file.get(), path.string(), [&](std::uint64_t bytes) {
      bytes_checked_ += bytes;
      if (progress_) {
        progress_(bytes_checked_, bytes_total_);
      }
    });
    if (found.bytes != shard.bytes) {
      throw Error{
          fmt::format("it has {} bytes (sealed with {}); {} are lost", found.bytes, shard.bytes, rows_in_words(shard))};
    }
    if (found.hash != shard.hash) {
      throw Error{fmt::format("its bytes are not the ones that were sealed; {} are lost", rows_in_words(shard))};
    }
  }

  static std::string rows_in_words(const CommittedShard& shard) {
    const auto ranges = decode_ranges(shard.ranges);
    return ranges.empty() ? std::string{"no rows"}
                          : fmt::format("its {} rows, the first of item {},", shard.rows, index(ranges.front().item));
  }

  static void check_against_journal(const CommittedShard& shard, const std::vector<StoredRow>& rows) {
    std::vector<BlockRow> blocks;
    blocks.reserve(rows.size());
    Hash128 sum;
    for (const StoredRow& stored : rows) {
      blocks.push_back(stored.row);
      sum += stored.row.digest;
    }
    if (to_ranges(blocks) != decode_ranges(shard.ranges)) {
      throw Error{fmt::format("its {} rows are not the {} that the journal says it holds", rows.size(), shard.rows)};
    }
    if (sum != shard.content_sum) {
      throw Error{"the sum of its rows' digests is not the one in the journal"};
    }
  }

  /// The digest of what is really there.
  Hash128 check_row(const ShardReader& reader, const StoredRow& stored) {
    const BlockRow& row = stored.row;
    const Hash128 digest =
        block_digest(row.key.item, row.key.output, row.dtype, row.rect, row.channels, reader.read(stored));
    if (digest != row.digest) {
      problem(fmt::format("the pixels of item {}{}, output {}, block {} do not have the digest of their row",
                          index(row.key.item), path_of(row.key.item), index(row.key.output), index(row.key.block)));
    }
    return digest;
  }

  /// All blocks of an item are made from the same bytes, also if some were made before an interruption.
  void check_source(const BlockRow& row) {
    if (BlockGrid{row.item_extent}.size() == 1) {
      return;
    }
    const auto [known, is_new] = sources_.try_emplace(row.key.item, row.input_xxh3);
    if (!is_new && known->second != row.input_xxh3) {
      problem(fmt::format("blocks of item {}{} were made from different versions of its file", index(row.key.item),
                          path_of(row.key.item)));
    }
  }

  std::string path_of(ItemId item) const {
    return index(item) < catalog_.size() ? fmt::format(" ({})", catalog_.path(item)) : std::string{};
  }

  void check_complete(const IndexTable& table) {
    std::uint64_t pending = 0;
    std::string names;
    for (std::uint64_t item = 0; item < table.items(); ++item) {
      if (table.row(ItemId{item}, OutputId{0}).status == ItemStatus::pending && ++pending <= most_named) {
        names += fmt::format("{}{}{}", names.empty() ? "" : ", ", item, path_of(ItemId{item}));
      }
    }
    if (pending > 0) {
      problem(fmt::format("{} of {} items are neither done nor in quarantine: {}{}", pending, table.items(), names,
                          pending > most_named ? ", …" : ""));
    }
  }

  void check_identity() const {
    static_cast<void>(read_identity(layout_));
    if (identity_hash(layout_) != state_.identity_hash()) {
      throw Error{"its bytes are not the ones that the run was last started with. Was it edited?"};
    }
  }

  void check_index(const IndexTable& table, const RunTotals& totals) {
    if (state_.end()) {
      // HDF5 trusts what it reads: what follows looks at a file that is known to be the one we wrote.
      if (hash_of(layout_.index()) != state_.end()->index) {
        throw Error{
            "its bytes are not the ones that were written when the run ended; run the same command again to "
            "make it anew"};
      }
    }
    IndexReader index_file{layout_};
    index_file.load_paths();
    std::vector<std::string> names;
    for (const CommittedShard& shard : state_.shards()) {
      names.push_back(shard.name);
    }
    bool agrees = index_file.totals() == totals && index_file.outputs() == state_.outputs() &&
                  index_file.shard_names() == names && index_file.rows() == table.rows() &&
                  index_file.all_blocks() == table.blocks();
    for (std::uint64_t item = 0; agrees && item < catalog_.size(); ++item) {
      agrees = index_file.path(ItemId{item}) == catalog_.path(ItemId{item});
    }
    if (!agrees) {
      throw Error{"it does not say what the journal and the shards say; it can be made again from them"};
    }
  }

  const RunLayout& layout_;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress_;
  Catalog catalog_;
  JournalState state_;
  std::unordered_map<ItemId, std::uint64_t> sources_;  ///< of items of several blocks: xxh3-64 of the file
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_checked_ = 0;
  VerifyReport report_;
};

}  // namespace

VerifyReport verify_run(const RunLayout& layout, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  return Check{layout, progress}.run();
}

}  // namespace pantile
