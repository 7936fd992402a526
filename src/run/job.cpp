#include "run/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/wire.hpp"
#include "codec/decode.hpp"
#include "config/identity.hpp"
#include "device/cpu.hpp"
#include "image/block_grid.hpp"
#include "report/live.hpp"
#include "run/item_decoder.hpp"
#include "run/slurm_job.hpp"
#include "run/stage_setup.hpp"
#include "store/adopt.hpp"
#include "store/catalog_file.hpp"
#include "store/file_hash.hpp"

namespace pantile {
namespace {

std::vector<OutputInfo> output_infos(const RunConfig& config) {
  std::vector<OutputInfo> outputs;
  for (const OutputConfig& output : config.outputs) {
    outputs.push_back({output.name, output.dtype});
  }
  return outputs;
}

/// A catalog that the journal knows keeps the hash that it was written with: what happened to it since is rot.
FileHash catalog_file(const Job& job, const Renewal& renewal) {
  const RunLayout& layout = job.folder.layout();
  const bool known = !renewal.any() && job.state.catalog_digest() == job.catalog.digest();
  return known ? job.state.catalog_file() : hash_of(renewal.any() ? layout.next_catalog() : layout.catalog());
}

RunStart run_start(const Job& job, const Renewal& renewal) {
  return {.time = iso_time(std::chrono::system_clock::now()),
          .items = job.catalog.size(),
          .outputs = output_infos(job.config),
          .plan = effective_text(job.config),
          .folder = job.config.folder.string(),
          .identity = read_text(job.folder.layout().identity()),
          .catalog_digest = job.catalog.digest(),
          .catalog = catalog_file(job, renewal)};
}

/// The model, as far as a job needs to know it. Throws UsageError if it is not there, or cannot be a stage of this job.
struct ExaminedModel {
  ModelFacts facts;
  Border border = Border::none;
  Hash128 digest;
};
ExaminedModel examine_model(const RunConfig& config) {
  const StageConfig& stage = config.pipeline.front();
  const ModelFile file = read_model(stage);
  ExaminedModel model{stage_facts(config, stage, file), Border::none, file.digest};
  model.border = stage_options(stage, model.facts).border;
  return model;
}

/// Why an item need not be tried, or nothing.
std::optional<Failure> why_hopeless(const Prospect& job, ItemId item) {
  const Fault fault = job.catalog.fault(item);
  if (fault != Fault::none) {
    return Failure{fault, job.catalog.item(item).detail};
  }
  const CatalogItem facts = job.catalog.item(item);
  const ImageHeader header{.format = facts.format,
                           .stored = facts.extent,
                           .oriented = facts.extent,
                           .channels = facts.channels,
                           .bits = facts.bits};
  DecodeLimits limits = decode_limits(job.config.limits);
  const RootKind kind = job.catalog.roots()[facts.root].kind;
  if (facts.format == ImageFormat::tiff && kind != RootKind::zip) {
    // Whether its regions can be read, and thus which limits hold, only its whole header tells, in the executor.
    limits.max_file_bytes = limits.max_decoded_bytes = std::numeric_limits<std::uint64_t>::max();
    limits.max_pixels = std::max(limits.max_pixels, limits.max_region_pixels);
    limits.max_side_px = std::numeric_limits<int>::max();
  }
  if (kind == RootKind::stack) {
    limits.max_file_bytes = std::numeric_limits<std::uint64_t>::max();  // A row is no file.
  }
  if (std::optional<Failure> refused = refusal(header, facts.bytes, limits)) {
    return refused;
  }
  if (job.output_extent(item).empty()) {
    return Failure{Fault::unsupported,
                   fmt::format("the image ({}) is smaller than what the model takes off its edges; set "
                               "image.border: replicate to extend it",
                               to_string(job.catalog.extent(item)))};
  }
  return std::nullopt;
}

/// The blocks of one output that are not committed, as ranges.
void add_missing(const JournalState& state, ItemId item, OutputId output, std::uint32_t blocks,
                 std::vector<BlockRange>& missing) {
  if (state.done(item, output)) {
    return;
  }
  for (std::uint32_t block = 0; block < blocks; ++block) {
    if (state.committed({item, output, BlockId{block}})) {
      continue;
    }
    const bool adjacent = !missing.empty() && missing.back().output == output &&
                          index(missing.back().first) + missing.back().count == block;
    if (adjacent) {
      ++missing.back().count;
    } else {
      missing.push_back({output, BlockId{block}, 1});
    }
  }
}

/// The config as the identity sees it: what the model decides is written out, so that writing it down changes nothing.
RunConfig resolved(RunConfig config, Border border) {
  config.pipeline.front().image.border = static_cast<ImageConfig::Border>(border);
  return config;
}

std::vector<ItemId> quarantined_items(const JournalState& state) {
  std::vector<ItemId> items;
  for (const auto& [item, quarantined] : state.quarantine()) {
    items.push_back(item);
  }
  return items;
}

/// Lets all items out of quarantine: whatever ailed them may be mended.
void release_all(Job& job) {
  const std::vector<ItemId> items = quarantined_items(job.state);
  for (const ItemId item : items) {
    job.journal.append(Release{item}, job.state);
  }
  if (items.empty()) {
    return;
  }
  log::info("{} item{} out of quarantine, to be tried again", items.size(), items.size() == 1 ? " is" : "s are");
}

/// Lets those of `items` out of quarantine that are in it.
void release(const std::vector<ItemId>& items, const JournalState& state,
             const std::function<void(const Release&)>& record) {
  for (const ItemId item : items) {
    if (state.quarantined(item)) {
      record(Release{item});
    }
  }
}

/// The journal says which catalog holds. After a crash that may be the one that was about to take the other's place.
void take_current_catalog(const RunLayout& layout, const Journal& journal, Prospect& job) {
  const Hash128& wanted = job.state.catalog_digest();
  if (index(job.state.epoch()) > 0 && job.catalog.digest() != wanted) {
    Catalog current = read_run_catalog(layout, wanted).catalog;
    // A journal that lost its tail may know an older one only. All are of this run, and none takes back an id.
    if (current.digest() != wanted && !journal.lost_tail()) {
      throw Error{layout.catalog().string() +
                  " is not the catalog that the journal names (ids would mean other files). Restore it, or start over "
                  "with --fresh."};
    }
    job.catalog = std::move(current);
  }
  adopt_next_catalog(layout, job.catalog.digest());
}

/// Sorts the items into settled, hopeless and to do.
void find_work(Prospect& job) {
  job.work.reserve(job.state.pending_items());
  for (std::uint64_t i = 0; i < job.catalog.size(); ++i) {
    const ItemId item{i};
    const auto cost_px = static_cast<std::uint64_t>(job.catalog.extent(item).area());
    if (!job.state.pending(item)) {
      job.pixels += cost_px;
      continue;
    }
    if (std::optional<Failure> failure = why_hopeless(job, item)) {
      job.hopeless.push_back({item, *std::move(failure)});
      continue;
    }
    job.pixels += cost_px;
    job.pixels_left += cost_px;
    std::vector<BlockRange> missing;
    const std::uint32_t blocks = BlockGrid{job.output_extent(item)}.size();
    for (std::size_t output = 0; output < job.config.outputs.size(); ++output) {
      add_missing(job.state, item, OutputId{static_cast<std::uint16_t>(output)}, blocks, missing);
    }
    job.work.add(item, cost_px, missing, job.state.failed_attempts(item));
  }
}

/// A catalog counts once the identity stands that names its digest: of a start that died in between nothing is kept.
/// (A journal without an identity is refused later; its catalog is not touched.)
bool is_begun(const RunLayout& layout) {
  return std::filesystem::exists(layout.catalog()) &&
         (std::filesystem::exists(layout.identity()) || std::filesystem::exists(layout.journal()));
}

StoredCatalog first_catalog(Catalog catalog) {
  const Hash128 digest = catalog.digest();
  return {std::move(catalog), digest};
}

/// What enters the identity beside the keys: how the image is cut, where the results depend on it.
std::vector<std::pair<std::string, std::string>> further_identity(const RunConfig& config, const ModelFacts& facts) {
  if (facts.local || facts.geometry.whole_only) {
    return {};
  }
  const bool is_fixed = config.tiles.size.kind == TileSize::Kind::fixed;
  return {{"inexact_tiles", is_fixed ? std::to_string(config.tiles.size.px) : "auto"}};
}

/// All of a job that does not depend on what is done already.
Prospect prospect_of(const RunConfig& config, ExaminedModel model, StoredCatalog catalog) {
  Prospect job;
  job.config = config;
  job.facts = std::move(model.facts);
  job.border = model.border;
  job.model_digest = model.digest;
  job.catalog = std::move(catalog.catalog);
  job.identity = identity_text(resolved(config, job.border), {.model_digests = {to_string(job.model_digest)},
                                                              .catalog_digest = to_string(catalog.first_digest),
                                                              .further = further_identity(config, job.facts)});
  return job;
}

}  // namespace

Hash128 Prospect::plan_id() const {
  Writer writer;
  writer.put(identity).put(static_cast<std::uint32_t>(config.schedule.policy));
  Hasher hasher;
  hasher.update(writer.bytes());
  for (const WorkItem& item : work.items()) {
    for (const BlockRange& range : work.missing(item)) {
      Writer part;
      part.put(index(item.item)).put(std::uint32_t{index(range.output)}).put(index(range.first)).put(range.count);
      hasher.update(part.bytes());
    }
  }
  return hasher.digest();
}

Prospect survey_job(const RunConfig& config, const Start& start) {
  ExaminedModel model = examine_model(config);
  const RunLayout layout{config.output.dir.resolved};
  const bool resumes = !start.fresh && is_begun(layout);
  JournalState state;
  if (resumes) {
    state = read_journal(layout.journal());
  }
  Prospect job = prospect_of(config, std::move(model),
                             resumes ? read_run_catalog(layout, state.catalog_digest())
                                     : first_catalog(new_catalog(config, probe_on_this_machine)));
  job.state = std::move(state);
  Renewal renewal;
  if (resumes) {
    check_identity(layout, job.identity);
    renewal = renew(job.catalog, config, job.state, {start.rescan, start.retry_failed}, probe_on_this_machine);
  }
  job.state.apply(Epoch{index(job.state.epoch()) + 1}, RunStart{.time = {},
                                                                .items = job.catalog.size(),
                                                                .outputs = output_infos(config),
                                                                .plan = {},
                                                                .folder = {},
                                                                .identity = {},
                                                                .catalog_digest = {},
                                                                .catalog = {}});
  release(renewal.mended, job.state, [&](const Release& record) { job.state.apply(job.state.epoch(), record); });
  for (const ItemId item : start.retry_failed ? quarantined_items(job.state) : std::vector<ItemId>{}) {
    job.state.apply(job.state.epoch(), Release{item});
  }
  find_work(job);
  return job;
}

Job prepare_job(const RunConfig& config, const Start& start, const ProbeHeaders& probe) {
  // Model and inputs are looked at before the folder is made: a mistyped path must not leave an empty run behind.
  ExaminedModel model = examine_model(config);
  const RunLayout layout{config.output.dir.resolved};
  std::optional<Catalog> listed;
  if (start.fresh || !is_begun(layout)) {
    listed = new_catalog(config, probe);
  }
  RunFolder folder = start.fresh ? RunFolder::open_fresh(layout.root) : RunFolder::open(layout.root);
  const bool stored = is_begun(layout);
  StoredCatalog catalog = stored ? read_stored_catalog(layout.catalog())
                                 : first_catalog(listed ? std::move(*listed) : new_catalog(config, probe));
  const Hash128 first_digest = catalog.first_digest;
  Prospect prospect = prospect_of(config, std::move(model), std::move(catalog));
  if (!stored) {
    write_catalog(layout.catalog(), prospect.catalog);
  }
  std::string run_id = folder.claim_identity(prospect.identity);
  Journal journal = Journal::open(layout.journal(), prospect.state);
  expect_requeues_to_help(prospect.state.starts_in_vain());
  journal.pass_over(latest_epoch(layout));
  Renewal renewal;
  if (stored) {
    take_current_catalog(layout, journal, prospect);
    // Where the inputs lie now: the project may have moved. The identity has shown that they are the same ones.
    renewal = renew(prospect.catalog, config, prospect.state, {start.rescan, start.retry_failed}, probe);
    if (renewal.any()) {
      write_catalog(layout.next_catalog(), prospect.catalog, first_digest);
    }
  }
  Job job{std::move(prospect), std::move(folder), std::move(run_id), std::move(journal)};
  begin_epoch(job, run_start(job, renewal), prove_shards(layout, job.run_id));
  // With RunStart: who finds the new catalog finds its mended items out of quarantine too, and never looks for them.
  release(renewal.mended, job.state, [&](const Release& record) { job.journal.append(record, job.state); });
  if (renewal.any()) {
    job.journal.commit();  // From here on the new catalog holds.
    adopt_next_catalog(layout, job.state.catalog_digest());
  }
  job.folder.set_epoch(job.journal.epoch());
  if (start.retry_failed) {
    release_all(job);
  }
  commit_start(job);
  return job;
}

void begin_epoch(Job& job, const RunStart& start, const ProveShard& prove, Disk& disk) {
  job.journal.append(start, job.state);
  const std::size_t adopted = adopt_shards(job.folder.layout(), prove, job.journal, job.state, disk);
  if (adopted > 0) {
    log::info("{} sealed shard{} without a record {} taken up", adopted, adopted == 1 ? "" : "s",
              adopted == 1 ? "is" : "are");
  }
  if (job.journal.lost_tail()) {
    job.journal.expect_ours();
    job.folder.put_unnamed_aside(job.state);
  }
}

void commit_start(Job& job) {
  find_work(job);
  for (const auto& [item, failure] : job.hopeless) {
    log::warn("{} is in quarantine: {}", job.catalog.path(item), failure.detail);
    job.journal.append(ItemQuarantined{item, 1, failure}, job.state);
  }
  job.journal.commit();
  job.folder.remove_orphans(job.state, job.journal.lost_tail() ? Sealed::keep : Sealed::remove);
}

}  // namespace pantile
