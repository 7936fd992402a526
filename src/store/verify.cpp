#include "store/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/file.hpp"
#include "image/block_grid.hpp"
#include "source/catalog.hpp"
#include "store/catalog_file.hpp"
#include "store/digest.hpp"
#include "store/file_hash.hpp"
#include "store/file_seal.hpp"
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
  Check(const RunLayout& layout, const VerifyProgress& progress, Writers writers)
      : layout_{layout}, progress_{progress} {
    if (writers == Writers::possible) {
      report_.running = owner_of(layout);
    }
  }

  VerifyReport run() {
    if (!step("journal", "journal: ", [&] { read_journal_file(); })) {
      return std::move(report_);  // Without it nobody knows what should be there.
    }
    step("run.yaml", "run.yaml: ", [&] { check_identity(); });
    step("catalog.h5", "catalog.h5: ", [&] { check_catalog(); });
    IndexTable table{state_.items(), state_.outputs().size()};
    for (std::size_t at = 0; at < state_.shards().size(); ++at) {
      check_shard(static_cast<std::uint32_t>(at), table);
    }
    const RunTotals totals = table.finish(state_);
    report_.digest = totals.digest;
    report_.items = totals.items;
    report_.done = totals.done;
    report_.quarantined = totals.quarantined;
    report_.ended = state_.end().has_value();
    report_.ended_once = state_.ended_once();
    check_complete(table);
    if (state_.end() && state_.end()->digest != totals.digest) {
      problem(fmt::format("the run ended with the digest {}, but what is there has {}", to_string(state_.end()->digest),
                          to_string(totals.digest)));
    }
    const bool journal_damaged = !report_.bad_files.empty() && report_.bad_files.front() == "journal";
    if ((report_.running || journal_damaged) && !state_.end()) {
      return std::move(report_);  // An index that is there is of an earlier start, or of more than the journal knows.
    }
    if (std::filesystem::exists(layout_.index())) {
      step("index.h5", "index.h5: ", [&] { check_index(table, totals); });
    } else if (state_.end()) {
      step("index.h5", "", [] {
        throw Error{
            "index.h5 is missing although the run has ended; it can be made again from the journal and the shards"};
      });
    }
    return std::move(report_);
  }

 private:
  void problem(std::string text) { report_.problems.push_back(std::move(text)); }

  /// False if `file` is bad: `action` has thrown. Each sentence begins with `prefix`, once.
  template <class Action>
  bool step(const std::string& file, const std::string& prefix, Action action) {
    try {
      action();
      return true;
    } catch (const std::exception& error) {
      const std::string text = error.what();
      problem(text.starts_with(prefix) ? text : prefix + text);
      report_.bad_files.push_back(file);
      report_.foreign = report_.foreign || dynamic_cast<const ForeignFormat*>(&error) != nullptr;
      return false;
    }
  }

  void read_journal_file() {
    if (!std::filesystem::exists(layout_.journal())) {
      if (report_.running) {
        report_.notes.emplace_back("nothing is committed yet");
        return;
      }
      throw Error{"it is missing: nothing is known to be committed"};
    }
    JournalReplay replay = replay_into_state();
    // A record that is being written looks like a torn one.
    for (int again = 0; again < 20 && report_.running && replay.valid_bytes < replay.file_bytes; ++again) {
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
      replay = replay_into_state();
    }
    for (const CommittedShard& shard : state_.shards()) {
      bytes_total_ += shard.bytes - std::min(shard.bytes, seal_bytes);
    }
    if (replay.valid_bytes < replay.file_bytes || replay.header_damaged) {
      report_.bad_files.emplace_back("journal");
    }
    if (replay.header_damaged) {
      problem(
          "journal: its header is damaged (the records are chained to the one that it should be; a resume or a "
          "repair writes it anew)");
    }
    if (replay.valid_bytes < replay.file_bytes) {
      problem(
          fmt::format("journal: {} bytes behind its {} good records are damaged, or were cut short by a crash (a "
                      "resume or a repair cuts them off and does again what they said, but for shards that prove "
                      "themselves)",
                      replay.file_bytes - replay.valid_bytes, replay.records));
    }
  }

  JournalReplay replay_into_state() {
    state_ = {};
    return replay_journal(layout_.journal(),
                          [&](Epoch epoch, const JournalRecord& record) { state_.apply(epoch, record); });
  }

  /// The journal names the catalog that holds, run.yaml the one that the run began with.
  void check_catalog() {
    if (index(state_.epoch()) == 0) {
      return;
    }
    const FileHash& wanted = state_.catalog_file();
    if (wanted.bytes > 0 && hash_of(layout_.next_catalog()) != wanted && hash_of(layout_.catalog()) != wanted) {
      throw Error{std::filesystem::exists(layout_.catalog())
                      ? "the file is not the one that the run was last started with: its bytes differ"
                      : "the file is missing"};
    }
    StoredCatalog stored = read_run_catalog(layout_, state_.catalog_digest());
    if (state_.items() != stored.catalog.size()) {
      throw Error{fmt::format("it has {} items, the journal {}", stored.catalog.size(), state_.items())};
    }
    if (stored.catalog.digest() != state_.catalog_digest()) {
      throw Error{"it is not the one that the run was last started with"};
    }
    if (state_.identity().find(to_string(stored.first_digest)) == std::string::npos) {
      throw Error{"it does not go back to the catalog that run.yaml names"};
    }
    catalog_ = std::move(stored.catalog);
  }

  void check_shard(std::uint32_t at, IndexTable& table) {
    const CommittedShard& shard = state_.shards()[at];
    const std::size_t problems_before = report_.problems.size();
    const bool read = step("shards/" + shard.name, "shard " + shard.name + ": ", [&] {
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
      if (read) {
        report_.bad_files.push_back("shards/" + shard.name);
      }
    }
  }

  void check_file(const CommittedShard& shard) {
    const auto path = layout_.shard(shard.name);
    if (!std::filesystem::exists(path)) {
      throw Error{fmt::format("the file is missing; {}", rows_in_words(shard))};
    }
    const SealCheck seal = check_seal(path, [&](std::uint64_t bytes) {
      bytes_checked_ += bytes;
      if (progress_) {
        progress_(bytes_checked_, bytes_total_);
      }
    });
    if (!seal.holds || seal.found.bytes != shard.bytes || seal.found.hash != shard.hash) {
      throw Error{fmt::format("{}; {}", why_not_the_one(path, shard, seal), rows_in_words(shard))};
    }
  }

  std::string why_not_the_one(const std::filesystem::path& path, const CommittedShard& shard, const SealCheck& seal) {
    if (seal.holds) {
      return whose_it_is(path, shard);
    }
    constexpr std::string_view hdf5_magic = "\x89HDF\r\n\x1a\n";
    const File file = open_file(path, O_RDONLY);
    std::array<char, hdf5_magic.size()> begin{};
    const ssize_t count = ::pread(file.get(), begin.data(), begin.size(), 0);
    if (std::string_view{begin.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))} != hdf5_magic) {
      return "it is no HDF5 file, or its beginning is damaged";
    }
    return seal.found.bytes != shard.bytes
               ? fmt::format("it has {} bytes (sealed with {})", seal.found.bytes, shard.bytes)
               : std::string{"its bytes are not the ones that were sealed"};
  }

  /// Of a shard that is sound, but not the one that was committed.
  std::string whose_it_is(const std::filesystem::path& path, const CommittedShard& shard) const {
    const ShardReader reader{path};  // Throws what another version is refused with.
    const std::string run_id = parse_identity(state_.identity(), "the journal").run_id;
    if (reader.run_id() != run_id) {
      return fmt::format("it is a shard of another run ({} instead of {})", reader.run_id(), run_id);
    }
    if (const std::string name = to_string(reader.name()); name != shard.name) {
      return "it is the shard " + name + " of this run under another name";
    }
    return "it is a sound shard of this run, but not the one that was committed";
  }

  /// "its 4 rows are lost: items 0 (a.png), 3 (b.png), …"
  std::string rows_in_words(const CommittedShard& shard) const {
    std::string names;
    std::size_t named = 0;
    for (const RowRange& range : decode_ranges(shard.ranges)) {
      for (std::uint64_t item = index(range.item); item < index(range.item) + range.items; ++item) {
        if (++named <= most_named) {
          names += fmt::format("{}{}{}", named == 1 ? "" : ", ", item, path_of(ItemId{item}));
        }
      }
    }
    return fmt::format("its {} row{} lost: item{} {}{}", shard.rows, shard.rows == 1 ? " is" : "s are",
                       named == 1 ? "" : "s", names, named > most_named ? ", …" : "");
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
    if (pending == 0) {
      return;
    }
    std::string text = fmt::format("{} of {} items are neither done nor in quarantine: {}{}", pending, table.items(),
                                   names, pending > most_named ? ", …" : "");
    (report_.running ? report_.notes : report_.problems).push_back(std::move(text));
  }

  void check_identity() const {
    if (index(state_.epoch()) == 0) {
      return;
    }
    if (!std::filesystem::exists(layout_.identity())) {
      throw Error{"the file is missing"};
    }
    if (read_text(layout_.identity()) != state_.identity()) {
      throw Error{"its bytes are not the ones that the run was last started with. Was it edited?"};
    }
    static_cast<void>(parse_identity(state_.identity(), "run.yaml"));
  }

  void check_index(const IndexTable& table, const RunTotals& totals) {
    if (state_.end()) {
      // HDF5 trusts what it reads: what follows looks at a file that is known to be the one we wrote.
      if (hash_of(layout_.index()) != state_.end()->index) {
        throw Error{
            "its bytes are not the ones that were written when the run ended; a resume or a repair makes it anew"};
      }
    }
    IndexReader index_file{layout_};
    if (!report_.bad_shards.empty()) {
      return;  // It tells of what is lost, as it should.
    }
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
  const VerifyProgress& progress_;
  Catalog catalog_;
  JournalState state_;
  std::unordered_map<ItemId, std::uint64_t> sources_;  ///< of items of several blocks: xxh3-64 of the file
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_checked_ = 0;
  VerifyReport report_;
};

}  // namespace

VerifyReport verify_run(const RunLayout& layout, const VerifyProgress& progress, Writers writers) {
  return Check{layout, progress, writers}.run();
}

}  // namespace pantile
