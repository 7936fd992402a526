// What the coordinator and the workers of a simulated cluster have of their machines.

#include "base/byte_size.hpp"
#include "sim/cluster.hpp"

namespace pantile::sim {

WorkerParts Cluster::worker_parts(Rank& rank) {
  return {.share = {.device = "sim", .cores = 1, .workers = rank.life.plan.workers},
          .now_us = [this] { return time_.now_us(); },
          .host_executor =
              [this, &rank](DevicesConfig::Isolation, const Arena& arena) {
                auto executor = std::make_unique<SimExecutor>(
                    world_,
                    SimExecutor::Settings{.rank = rank.number,
                                          .lanes = scenario_.lanes,
                                          .px_per_s = scenario_.px_per_s[static_cast<std::size_t>(rank.number)],
                                          .life = lives_.size() - 1,
                                          .runs_out = rank.number == 1 ? scenario_.runs_out : Extent{}},
                    arena, [this, &rank] { wake(rank); });
                rank.executor = executor.get();
                return executor;
              },
          .open_store =
              [this, &rank](ShardThread::Settings settings, const Arena& arena, RankLog&) {
                auto store = std::make_unique<SimStore>(
                    SimStore::Place{time_, chance_, rank.process, *rank.disk}, std::move(settings.desk),
                    [&arena](const Slot& slot) { return arena.at(slot).first(block_bytes); },
                    [this, &rank] { wake(rank); });
                rank.store = store.get();
                return store;
              },
          .open_log = [](const RunLayout&, RankId, Epoch) { return std::make_unique<RankLog>(); },
          .read_config =
              [this](const std::string& text, const std::string&) {
                RunConfig read = config();
                // Of all that a person may change while it runs, the cap is what counts here.
                const std::size_t at = text.find("    cap: ");
                const std::string word = at == text.npos ? "" : text.substr(at + 9, text.find('\n', at) - at - 9);
                if (const auto bytes = parse_byte_size(word)) {
                  read.devices.memory.cap = {.kind = MemoryAmount::Kind::bytes, .bytes = *bytes};
                }
                return read;
              },
          .calibrations = [](const RunLayout&) { return CalibrationFolders{}; },
          .watch_memory = [] { return std::unique_ptr<DeviceMonitor>{}; }};
}

CoordinatorParts Cluster::coordinator_parts(Rank& rank) {
  Life& life = rank.life;
  const auto shown = [this, &rank, &life] {
    if (!rank.process.is_dead) {
      oracle_.hears_of(life.job->state);
    }
  };
  return {.now_s = [this] { return time_.now_s(); },
          .disk = *rank.disk,
          .open_log = [] { return std::make_unique<RankLog>(); },
          .wishes =
              [this, &life](LiveState&) {
                return Wishes{.stop = wishes_in_ == &life ? wish_ : std::optional<StopWish>{},
                              .sets = std::exchange(sets_, {})};
              },
          .show = [shown](const LiveState&) { shown(); },
          .write_live = [shown](const LiveView&) { shown(); },
          .write_last_files =
              [this, &rank](Job& job, bool is_complete) {
                const std::string text = fmt::format("{} items are done", job.state.done_items());
                replace_file(*rank.disk, layout_.root / "index", text, Durable::yes);
                if (is_complete) {
                  job.journal.append(RunEnd{job.state.content_sum(), {xxh3_128(std::as_bytes(std::span{text})), 1}},
                                     job.state);
                  job.journal.commit();
                }
              }};
}

const RunConfig& Cluster::config() {
  if (config_.pipeline.empty()) {
    static const RunConfig base = parse_config(
        "schema: 1\ninput: [{path: pages}]\npipeline: [{id: up, model: m.onnx, image: {color: Y}}]\n"
        "devices: {jobs_per_device: 1, memory: {cap: 1GiB}}\noutput: {dir: /sim/run}\n",
        "the simulation", "/sim");
    config_ = base;
    config_.tiles.size = {TileSize::Kind::fixed, 2048};          // One candidate: the planner is not what is played.
    config_.devices.isolation = DevicesConfig::Isolation::none;  // Else each rank measures the memory of this process.
    config_.output.shard_size = scenario_.shard_size;
    config_.output.seal_after = milliseconds(scenario_.seal_after_s);
    config_.output.wait_for_space = milliseconds(scenario_.wait_for_space_s);
    config_.on_error.hang_after = milliseconds(scenario_.hang_after_s);
    config_.schedule.policy = scenario_.policy;
    config_.devices.jobs_per_device = scenario_.lanes;
  }
  return config_;
}

std::chrono::milliseconds Cluster::milliseconds(double seconds) {
  return std::chrono::milliseconds{std::llround(1000 * seconds)};
}

const Catalog& Cluster::catalog() {
  if (catalog_.size() == 0) {
    catalog_.add_root({.kind = RootKind::folder, .path = "/sim/pages"});
    for (std::uint64_t i = 0; i < sim_items; ++i) {
      const bool is_unreadable = scenario_.unreadable.contains(ItemId{i});
      catalog_.append({.path = fmt::format("{:03}.png", i),
                       .extent = is_unreadable ? Extent{} : scenario_.extents[i],
                       .channels = 1,
                       .bits = 8,
                       .bytes = 100'000,
                       .format = ImageFormat::png,
                       .fault = is_unreadable ? Fault::not_an_image : Fault::none,
                       .detail = is_unreadable ? "as the seed wants it" : ""});
    }
  }
  return catalog_;
}

ModelFacts Cluster::model_facts() {
  ModelFacts facts;
  facts.input_channels = 1;
  facts.output_channels = 1;
  facts.local = true;
  facts.makes_image = true;
  facts.followed = true;
  facts.layers.push_back({.macs_per_px = 10, .shrink = {}});
  return facts;
}

}  // namespace pantile::sim
