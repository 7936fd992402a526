#pragma once
// From a job file to a run that can start: every mistake that can be found before the first image is found here, on
// rank 0.

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "model/facts.hpp"
#include "pipeline/model_stage.hpp"
#include "plan/work.hpp"
#include "run/job_inputs.hpp"
#include "source/catalog.hpp"
#include "store/adopt.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"
#include "store/run_folder.hpp"

namespace pantile {

/// How to begin in a run folder that is there.
struct Start {
  bool fresh = false;          ///< put it aside and start over; else go on with it
  bool retry_failed = false;   ///< what is in quarantine is tried again
  Rescan rescan = Rescan::no;  ///< look for new files in the inputs
};

/// How many extents the tile planner is shown.
inline constexpr std::size_t planned_extents = 64;

/// An item that need not be tried, and why.
struct HopelessItem {
  ItemId item{};
  Failure failure{};
};

/// What a job comes to: its model, its items, and what of them is still to do.
struct Prospect {
  RunConfig config;
  ModelFacts facts;
  Border border = Border::none;
  Hash128 model_digest;
  std::string identity;  ///< text of run.yaml
  Catalog catalog;
  JournalState state;
  Work work;                           ///< what is not settled yet
  std::vector<HopelessItem> hopeless;  ///< of the others: what will go into quarantine untried
  std::uint64_t pixels = 0;            ///< input pixels of all items that can be read
  std::uint64_t pixels_left = 0;

  /// Extent of the output of an item that can be read.
  [[nodiscard]] Extent output_extent(ItemId item) const;
  /// Bytes of that output, uncompressed.
  [[nodiscard]] std::uint64_t output_bytes(ItemId item) const;
  /// The extents with most pixels among the items still to do, at most `limit` (≥ 1); the largest is always one of
  /// them.
  [[nodiscard]] std::vector<ExtentClass> extent_classes(std::size_t limit) const;
  /// The folders and archives that the items lie in.
  [[nodiscard]] std::vector<std::string> input_roots() const;
  /// Names what will be done and how it is dealt out: of identity, work and policy. Equal in `plan` and in `run`.
  [[nodiscard]] Hash128 plan_id() const;
};

/// A run whose folder is ours, whose journal is replayed and whose epoch has begun. Rank 0 only.
struct Job : Prospect {
  RunFolder folder;
  std::string run_id;
  Journal journal;
};

/// What prepare_job() would find, without a trace of it on disk and without a lock: a run may be under way. Throws as
/// prepare_job() does.
[[nodiscard]] Prospect survey_job(const RunConfig& config, const Start& start);

/// Reads model and inputs, takes the folder, resumes or starts. An item whose header cannot be read is in quarantine
/// when this returns. Throws UsageError for what a person must mend (nothing was started then), Error for a broken
/// machine.
[[nodiscard]] Job prepare_job(const RunConfig& config, const Start& start,
                              const ProbeHeaders& probe = probe_on_this_machine);

// The two parts of prepare_job() that make a job of a folder and its journal, for those who have both already.

/// Begins the next epoch in the journal, and takes up the shards without a record that `prove` vouches for. Not durable
/// yet.
void begin_epoch(Job& job, const RunStart& start, const ProveShard& prove, Disk& disk = real_disk());
/// Finds what is to do; what need not be tried goes into quarantine. All of it durable. Then sweeps the folder.
void commit_start(Job& job);

}  // namespace pantile
