#include "store/mend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/disk.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "store/adopt.hpp"
#include "store/aside.hpp"
#include "store/catalog_file.hpp"
#include "store/file_hash.hpp"
#include "store/file_seal.hpp"
#include "store/index_writer.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

std::string_view plural(std::size_t count) { return count == 1 ? "" : "s"; }

/// A journal that is no journal any more, header and first record: shards, catalog and run.yaml can make up for it.
void put_hopeless_journal_aside(const RunLayout& layout, std::vector<std::string>& done) {
  try {
    static_cast<void>(read_journal(layout.journal()));
  } catch (const ForeignFormat&) {
    throw;
  } catch (const Error& error) {
    const std::filesystem::path kept = numbered(real_disk(), layout.journal(), "bad");
    std::filesystem::rename(layout.journal(), kept);
    sync_folder(layout.root);
    done.push_back(fmt::format("the journal cannot be read, and is kept as {}", kept.filename().string()));
  }
}

class Mending {
 public:
  Mending(RunFolder& folder, const VerifyReport& found, const MendOptions& options)
      : folder_{folder},
        layout_{folder.layout()},
        found_{found},
        time_{options.time},
        had_ended_{options.had_ended},
        list_inputs_{options.list_inputs} {}

  Mended run() {
    put_hopeless_journal_aside(layout_, mended_.done);
    const bool header_damaged = replay_journal(layout_.journal(), [](Epoch, const JournalRecord&) {}).header_damaged;
    Journal journal = Journal::open(layout_.journal(), state_);
    if (header_damaged) {
      say("the journal's header is written anew");
    }
    if (journal.lost_tail()) {
      say("the journal ends with its last good record; what was behind it is kept as journal.torn-N");
    }
    journal.pass_over(latest_epoch(layout_));
    RunStart start = beginning();
    restore_identity(start);
    restore_catalog(start, journal.lost_tail());
    journal.append(start, state_);
    folder_.set_epoch(journal.epoch());
    retire(journal);
    const std::string run_id = parse_identity(start.identity, "run.yaml").run_id;
    if (const std::size_t adopted = adopt_shards(layout_, prove_shards(layout_, run_id), journal, state_);
        adopted > 0) {
      say(fmt::format("{} sealed shard{} without a record {}: what {} proved to be sound", adopted, plural(adopted),
                      adopted == 1 ? "counts again" : "count again", adopted == 1 ? "it holds" : "they hold"));
    }
    static_cast<void>(folder_.put_unnamed_aside(state_));
    journal.commit();
    static_cast<void>(folder_.remove_orphans(state_, Sealed::keep));
    write_index_and_end(journal);
    mended_.pending = state_.pending_items();
    mended_.config = state_.plan();
    mended_.config_folder = state_.folder();
    return std::move(mended_);
  }

 private:
  void say(std::string text) { mended_.done.push_back(std::move(text)); }

  /// What the next epoch begins with: as the last one did or, if the journal has lost all its starts, by what shards,
  /// catalog and run.yaml say.
  RunStart beginning() {
    RunStart start = state_.next_start(time_);
    start.repairs = had_ended_;
    if (index(state_.epoch()) > 0) {
      return start;
    }
    start.identity = read_text(layout_.identity());
    const RunIdentity identity = parse_identity(start.identity, layout_.identity().string());
    for (const auto& entry : std::filesystem::directory_iterator{layout_.shards()}) {
      if (!parse_shard_name(entry.path().filename().string()) || !check_seal(entry.path()).holds) {
        continue;
      }
      const ShardReader shard{entry.path()};
      if (shard.run_id() == identity.run_id) {
        start.outputs = shard.outputs();
        start.plan = shard.config();
        start.folder = folder_of_effective_text(start.plan);
        return start;
      }
    }
    throw Error{
        fmt::format("the journal of {} has lost the record of its start, and there is no sound shard that tells "
                    "what was run. `pantile run JOB` with the same job goes on.",
                    layout_.root.string())};
  }

  void restore_identity(const RunStart& start) {
    const bool there = std::filesystem::exists(layout_.identity());
    if (there && read_text(layout_.identity()) == start.identity) {
      return;
    }
    keep_aside(layout_.identity());
    replace_file(layout_.identity(), start.identity, Durable::yes);
    say("run.yaml is as it was written again; the journal has a copy");
  }

  /// The catalog's columns have a digest of their own: what can be read is what was written. Else the inputs must still
  /// be the same.
  void restore_catalog(RunStart& start, bool lost_tail) {
    const bool known = index(state_.epoch()) > 0;
    if (start.catalog.bytes > 0 && hash_of(layout_.catalog()) == start.catalog &&
        !std::filesystem::exists(layout_.next_catalog())) {
      return;
    }
    StoredCatalog stored = readable_catalog(start);
    // A journal that lost its tail may know an older catalog only. All are of this run, and none takes back an id.
    if (known && stored.catalog.digest() != start.catalog_digest && !lost_tail) {
      throw Error{layout_.catalog().string() +
                  " is not the catalog that the journal names (ids would mean other files). Restore it from a copy."};
    }
    if (start.identity.find(to_string(stored.first_digest)) == std::string::npos) {
      throw Error{layout_.catalog().string() +
                  " does not go back to the catalog that run.yaml names. Restore it from a "
                  "copy."};
    }
    keep_aside(layout_.catalog());
    write_catalog(layout_.catalog(), stored.catalog, stored.first_digest);
    std::error_code error;
    std::filesystem::remove(layout_.next_catalog(), error);
    start.items = stored.catalog.size();
    start.catalog_digest = stored.catalog.digest();
    start.catalog = hash_of(layout_.catalog());
    say("catalog.h5 is written anew");
  }

  StoredCatalog readable_catalog(const RunStart& start) {
    try {
      return read_run_catalog(layout_, start.catalog_digest);
    } catch (const Error& unreadable) {
      const auto is_first = [&](const Hash128& digest) {
        return start.identity.find(to_string(digest)) != std::string::npos;
      };
      if (index(state_.epoch()) > 0 && !is_first(start.catalog_digest)) {
        throw Error{
            fmt::format("{}. It has files that were added later, so it cannot be listed anew: restore it from a "
                        "copy.",
                        unreadable.what())};
      }
      Catalog listed = list_inputs_(start.plan, start.folder);
      if (!is_first(listed.digest())) {
        throw Error{
            fmt::format("{}. The inputs are not what they were when the run began, so it cannot be listed anew: "
                        "restore it from a copy.",
                        unreadable.what())};
      }
      say("the inputs were listed again: they are the same as when the run began");
      const Hash128 digest = listed.digest();
      return {std::move(listed), digest};
    }
  }

  /// First aside, then out of the journal: a kill in between leaves a shard that is missing, which the next repair
  /// retires.
  void retire(Journal& journal) {
    ShardsAside aside{layout_, "bad"};
    std::size_t retired = 0;
    for (const std::string& name : found_.bad_shards) {
      if (state_.find_shard(name) == nullptr) {
        continue;
      }
      aside.move(name);
      journal.append(ShardRetired{name}, state_);
      ++retired;
    }
    if (retired > 0) {
      say(fmt::format("{} shard{} retired{}", retired, retired == 1 ? " is" : "s are",
                      aside.folder().empty() ? std::string{}
                                             : fmt::format(", and kept in {}", aside.folder().filename().string())));
    }
  }

  void write_index_and_end(Journal& journal) {
    const Catalog catalog = read_run_catalog(layout_, state_.catalog_digest()).catalog;
    const bool bad = std::find(found_.bad_files.begin(), found_.bad_files.end(), "index.h5") != found_.bad_files.end();
    if (state_.end() && !bad) {
      return;
    }
    const RunTotals totals = write_index(layout_, catalog, state_);
    if (bad) {
      say("index.h5 is made anew");
    }
    if (state_.pending_items() == 0) {
      journal.append(RunEnd{totals.digest, hash_of(layout_.index())}, state_);
      journal.commit();
    }
  }

  RunFolder& folder_;
  const RunLayout& layout_;
  const VerifyReport& found_;
  const std::string& time_;
  bool had_ended_;
  const ListInputs& list_inputs_;
  JournalState state_;
  Mended mended_;
};

}  // namespace

Mended mend_run(RunFolder& folder, const VerifyReport& found, const MendOptions& options) {
  if (found.foreign) {
    throw UsageError{
        fmt::format("{} was written by another version of pantile: repair it with that one. Nothing was "
                    "changed.",
                    folder.layout().root.string())};
  }
  return Mending{folder, found, options}.run();
}

}  // namespace pantile
