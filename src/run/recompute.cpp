#include "run/recompute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/steady.hpp"
#include "config/config.hpp"
#include "image/block_grid.hpp"
#include "pipeline/arena.hpp"
#include "pipeline/executor_protocol.hpp"
#include "report/live.hpp"
#include "run/block_maker.hpp"
#include "run/calibration_files.hpp"
#include "run/device_plan.hpp"
#include "run/executor_host.hpp"
#include "run/job_inputs.hpp"
#include "run/stage_setup.hpp"
#include "store/catalog_file.hpp"
#include "store/compare.hpp"
#include "store/journal_state.hpp"
#include "store/shard_reader.hpp"

namespace pantile {
namespace {

/// An executor with the model open that makes one block after another. All that this file knows of executors. What its
/// death or its silence means is judged as in a run.
class Maker {
 public:
  Maker(const RunConfig& config, const Hash128& model_digest, int output_channels)
      : share_{share_here(1)},
        arena_{arena_capacity(static_cast<std::uint64_t>(output_channels))},
        maker_{host_executor(config.devices.isolation, arena_),
               {.config = effective_text(config),
                .config_folder = config.folder.string(),
                .model_digest = model_digest,
                .cap_bytes = device_cap(config.devices.memory, share_),
                .outside_bytes = own_bytes(config.devices.isolation),
                .known = known_calibrations(calibration_folders(), model_digest)},
               std::chrono::duration<double>(config.on_error.hang_after).count(),
               &tell,
               steady_s()} {
    const Opened opened = std::get<Opened>(next());
    device_class_ = opened.device_class;
    const int lanes = lanes_for(config, share_);
    const std::uint64_t cap = device_cap(config.devices.memory, share_);
    maker_.start_lanes(lanes, one_block_at_a_time(cap - std::min(cap, opened.standing_bytes), output_channels, lanes),
                       cap, steady_s());
  }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;

  [[nodiscard]] const std::string& device_class() const noexcept { return device_class_; }

  using Answer = std::variant<BlockIsDone, BlockHasFailed>;
  /// A block over which executors die or hang has failed. pixels() are those of the last block made.
  [[nodiscard]] Answer make(RunBlock block, std::uint64_t bytes) {
    block.slot = {.offset = 0, .bytes = bytes};
    const ItemId item = block.key.item;
    maker_.make(std::move(block), true, steady_s());
    BlockMaker::News news = next();
    maker_.settled(item);
    if (auto* const done = std::get_if<BlockIsDone>(&news)) {
      return std::move(*done);
    }
    return std::get<BlockHasFailed>(std::move(news));
  }
  [[nodiscard]] std::span<const std::byte> pixels(std::uint64_t bytes) const { return arena_.at({0, bytes}); }

 private:
  /// Tiles of any size, as they were planned elsewhere: those that do not fit here are made of smaller ones.
  static DeviceUse one_block_at_a_time(std::uint64_t room_bytes, int output_channels, int lanes) {
    const std::uint64_t block =
        std::uint64_t{block_side_px} * block_side_px * static_cast<std::uint64_t>(output_channels);
    const std::uint64_t engine = room_bytes - std::min(room_bytes / 2, block);
    constexpr int any = std::numeric_limits<int>::max();
    return {.engine_bytes = engine, .decoded_bytes = engine / 2, .tile = {any, any}, .lanes = lanes};
  }

  static void tell(const ExecutorDeath& death, const std::vector<InFlight::Begun>& /*begun*/) {
    log::warn("the executor died ({}); another one takes its place", death.how);
  }

  /// Waits for what is opened, or has become of a block.
  BlockMaker::News next() {
    for (;;) {
      std::optional<BlockMaker::News> news = maker_.poll(steady_s());
      if (!news) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      } else if (const auto* const failed = std::get_if<OpenFailed>(&*news)) {
        throw Error{failed->text, static_cast<ExitCode>(failed->code)};
      } else if (!std::holds_alternative<DecodeSpan>(*news) && !std::holds_alternative<ExecutorBeat>(*news)) {
        return *std::move(news);
      }
    }
  }

  NodeShare share_;
  Arena arena_;
  BlockMaker maker_;
  std::string device_class_;
};

/// The run as its journal tells it, with the inputs where they are now.
struct Source {
  explicit Source(const RunLayout& run)
      : layout{run},
        state{read_journal(run.journal())},
        config{parse_config(state.plan(), "the run's config", state.folder())},
        catalog{read_run_catalog(run, state.catalog_digest()).catalog},
        model{read_model(config.pipeline.front())} {
    if (state.identity().find(to_string(model.digest)) == std::string::npos) {
      throw UsageError{
          fmt::format("{} is another model than the one that the run was made with. Put that one back to "
                      "make results again.",
                      config.pipeline.front().model.resolved.string())};
    }
    catalog.relocate(input_roots(input_specs(config)));
  }

  RunLayout layout;
  JournalState state;
  RunConfig config;
  Catalog catalog;
  ModelFile model;
};

std::uint64_t rank_of(std::uint64_t seed, std::uint64_t item) {
  const std::array<std::uint64_t, 2> both{seed, item};
  return xxh3_64(std::as_bytes(std::span{both}));
}

/// The done items with the smallest hashes.
std::set<ItemId> choose(const JournalState& state, const SampleSize& size, std::uint64_t seed) {
  std::vector<ItemId> done;
  for (std::uint64_t item = 0; item < state.items(); ++item) {
    if (state.done(ItemId{item})) {
      done.push_back(ItemId{item});
    }
  }
  const double share = std::ceil(static_cast<double>(done.size()) * size.percent / 100);
  const auto wanted =
      std::min<std::uint64_t>(size.items > 0 ? size.items : static_cast<std::uint64_t>(share), done.size());
  std::sort(done.begin(), done.end(),
            [&](ItemId a, ItemId b) { return rank_of(seed, index(a)) < rank_of(seed, index(b)); });
  return {done.begin(), done.begin() + static_cast<std::ptrdiff_t>(wanted)};
}

struct PlacedRow {
  std::string shard;
  StoredRow stored;
};

class Sampling {
 public:
  Sampling(Source& source, const VerifyReport& report, SampleReport& result)
      : source_{source}, bad_{report.bad_shards.begin(), report.bad_shards.end()}, result_{result} {}

  void run(const std::set<ItemId>& items) {
    std::map<ItemId, std::vector<PlacedRow>> rows;
    for (const CommittedShard& shard : source_.state.shards()) {
      if (bad_.contains(shard.name)) {
        continue;
      }
      for (StoredRow& stored : ShardReader{source_.layout.shard(shard.name)}.rows()) {
        if (items.contains(stored.row.key.item)) {
          rows[stored.row.key.item].push_back({shard.name, std::move(stored)});
        }
      }
    }
    if (rows.empty()) {
      return;
    }
    Maker maker{source_.config, source_.model.digest, rows.begin()->second.front().stored.row.channels};
    result_.device_class = maker.device_class();
    for (const auto& [item, blocks] : rows) {
      ++result_.items;
      make_item(maker, item, blocks);
    }
  }

 private:
  void make_item(Maker& maker, ItemId item, const std::vector<PlacedRow>& rows) {
    const CatalogItem facts = source_.catalog.item(item);
    const std::string who = fmt::format("item {} ({})", index(item), facts.path);
    for (std::size_t at = 0; at < rows.size(); ++at) {
      const BlockRow& row = rows[at].stored.row;
      const Maker::Answer answer = maker.make({.ticket = ++ticket_,
                                               .key = row.key,
                                               .attempt = 1,
                                               .place = source_.catalog.place(item),
                                               .header = {facts.extent, facts.orientation, facts.channels, facts.bits},
                                               .rect = row.rect,
                                               .tile = row.tile,
                                               .slot = {},
                                               .last_of_item = at + 1 == rows.size(),
                                               .strip = 0,
                                               .made = {}},
                                              row.bytes());
      if (const auto* const failed = std::get_if<BlockHasFailed>(&answer)) {
        const bool is_input = is_bad_input(failed->fault);
        (is_input ? result_.changed : result_.failed)
            .push_back(fmt::format("{}: {}: {}", who,
                                   is_input ? "its input is not what it was" : "it could not be made again",
                                   failed->detail));
        return;
      }
      const auto& done = std::get<BlockIsDone>(answer);
      if (done.input_xxh3 != row.input_xxh3) {
        result_.changed.push_back(
            fmt::format("{}: its input is another file now than the one that the result was made "
                        "of (xxh3 {:016x} instead of {:016x})",
                        who, done.input_xxh3, row.input_xxh3));
        return;
      }
      if (done.digest != row.digest) {
        const Bytes stored = ShardReader{source_.layout.shard(rows[at].shard)}.read(rows[at].stored);
        result_.differ.push_back(fmt::format(
            "{}, block {}: made again on {} (first on {}), {}", who, index(row.key.block), maker.device_class(),
            row.device_class, in_words(difference_of(maker.pixels(row.bytes()), stored, row.dtype, row.channels))));
        return;
      }
    }
    ++result_.equal;
  }

  Source& source_;
  std::set<std::string> bad_;
  SampleReport& result_;
  std::uint64_t ticket_ = 0;
};

}  // namespace

SampleSize parse_sample_size(const std::string& text) {
  SampleSize size;
  const bool is_share = text.ends_with('%');
  const char* const end = text.data() + text.size() - (is_share ? 1 : 0);
  const auto [parsed, error] =
      is_share ? std::from_chars(text.data(), end, size.percent) : std::from_chars(text.data(), end, size.items);
  if (error != std::errc{} || parsed != end ||
      (is_share ? !(size.percent > 0 && size.percent <= 100) : size.items == 0)) {
    throw UsageError{fmt::format("--sample {}: it is a share of the items, as 5%, or how many, as 20", text)};
  }
  return size;
}

SampleReport recompute_sample(const RunLayout& layout, const VerifyReport& report, const SampleSize& size,
                              std::optional<std::uint64_t> seed) {
  Source source{layout};
  SampleReport result{.seed = seed.value_or(report.digest.low)};
  Sampling{source, report, result}.run(choose(source.state, size, result.seed));
  return result;
}

}  // namespace pantile
