#pragma once
// A whole run in one thread: the real coordinator and the real workers over simulated executors, messages, clock and
// disk, killed and resumed as a scenario has it, until all is done. An oracle looks at the disk after each life.
//
//     const Report report = Cluster{draw_scenario(seed)}.run();     // report.complaints is empty

#include <fmt/format.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "run/coordinator.hpp"
#include "run/worker.hpp"
#include "sim/oracle.hpp"
#include "sim/sim_store.hpp"

namespace pantile::sim {

struct Report {
  std::vector<std::string> complaints;
  std::vector<std::string> story;  ///< all events, if they were asked for
  double virtual_s = 0;
  std::uint64_t events = 0;
  std::uint64_t lives = 0;
  std::uint64_t made = 0;        ///< blocks
  std::uint64_t made_again = 0;  ///< of them, for not the first time
  std::array<std::uint64_t, mishap_count> mishaps{};
};

enum class Story : std::uint8_t {
  untold,
  told,
  told_at_once  ///< on stdout, too: of a run that aborts nothing else is left
};

class Cluster {
 public:
  explicit Cluster(Scenario scenario, Story story = Story::untold)
      : scenario_{std::move(scenario)}, is_told_{story != Story::untold}, tells_at_once_{story == Story::told_at_once} {
    disk_.make_folder(layout_.root);
    disk_.make_folder(layout_.shards());
  }
  ~Cluster() {
    for (const auto& life : lives_) {
      for (const auto& rank : life->ranks) {
        rank->process.is_dead = true;  // What is destroyed now has no effect.
      }
    }
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  Report run() {
    for (const LifePlan& plan : scenario_.lives) {
      live(plan);
      if (is_complete_ || !oracle_.complaints().empty()) {
        break;
      }
    }
    if (oracle_.complaints().empty()) {
      check_the_end();
    }
    report_.complaints = oracle_.complaints();
    report_.story = std::move(story_);
    report_.virtual_s = time_.now_s();
    report_.events = time_.happened();
    report_.lives = lives_.size();
    report_.made_again = report_.made - ever_made_.size();
    return report_;
  }

 private:
  struct Life;
  struct Rank {
    Life& life;
    int number = 0;
    Process process{};
    std::unique_ptr<ProcessDisk> disk{};
    std::unique_ptr<Transport> end{};
    std::deque<Envelope> inbox{};
    std::unique_ptr<Worker> worker{};
    SimExecutor* executor = nullptr;  ///< of the worker
    SimStore* store = nullptr;        ///< of the worker
    bool is_planned = false;          ///< a step of it is coming
    bool has_given_up = false;
    bool is_gone = false;  ///< it has left, or died
    double gone_s = 0;
    int executor_kills = 0;
  };
  struct Made {
    BlockKey key;
    int rank = 0;
    double at_s = 0;
  };
  struct Life {
    const LifePlan& plan;
    double began_s = 0;
    double ended_s = 0;
    bool is_over = false;  ///< rank 0 has ended, one way or the other
    std::optional<ExitCode> code{};
    std::vector<std::unique_ptr<Rank>> ranks{};
    std::unique_ptr<Job> job{};
    std::unique_ptr<Coordinator> coordinator{};
    std::set<BlockKey> committed_before{};
    std::vector<Made> made{};
    bool is_troubled = false;  ///< something went wrong that makes ranks do work twice, or keeps shards open
    bool may_wait = false;     ///< something went wrong that holds the run up
    bool has_excuse = false;   ///< something went wrong for which a run may fail
  };

  /// One end of a life's network. Messages between two ranks keep their order; those of different ranks do not.
  class End final : public Transport {
   public:
    End(Cluster& cluster, Rank& rank)
        : cluster_{cluster}, rank_{rank}, free_us_(static_cast<std::size_t>(rank.life.plan.workers) + 1) {}
    [[nodiscard]] RankId self() const noexcept override { return RankId{rank_.number}; }
    [[nodiscard]] int size() const noexcept override { return rank_.life.plan.workers + 1; }
    void send(RankId to, Bytes payload) override {
      if (rank_.process.is_dead) {
        return;
      }
      if (index(to) == 0 && cluster_.scenario_.doubled > 0 && may_come_twice(payload) &&
          cluster_.chance_.happens(cluster_.scenario_.doubled)) {
        const double late_s = cluster_.chance_.exponential(1);
        cluster_.deliver(rank_, to, payload, cluster_.time_.now_us() + static_cast<std::int64_t>(1e6 * late_s));
      }
      auto& free_us = free_us_[static_cast<std::size_t>(index(to))];
      const double latency_s = cluster_.chance_.exponential(cluster_.scenario_.latency_s);
      free_us = std::max(free_us, cluster_.time_.now_us() + static_cast<std::int64_t>(1e6 * latency_s));
      cluster_.deliver(rank_, to, std::move(payload), free_us);
    }
    [[nodiscard]] std::optional<Envelope> poll() override {
      if (rank_.inbox.empty()) {
        return std::nullopt;
      }
      Envelope first = std::move(rank_.inbox.front());
      rank_.inbox.pop_front();
      return first;
    }
    [[nodiscard]] bool flushed() override { return true; }

   private:
    /// MPI doubles nothing, and what is said of an item is taken at its word. The steps of a shard are numbered.
    static bool may_come_twice(const Bytes& payload) {
      const auto message = decode_message<ToCoordinator>(payload);
      return std::holds_alternative<SealRequest>(message) || std::holds_alternative<ShardIsSealed>(message) ||
             std::holds_alternative<Beat>(message);
    }

    Cluster& cluster_;
    Rank& rank_;
    std::vector<std::int64_t> free_us_;
  };

  // ---- lives --------------------------------------------------------------------------------------------------------

  void live(const LifePlan& plan) {
    constexpr double longest_life_s = 3000;
    lives_.push_back(std::make_unique<Life>(Life{.plan = plan, .began_s = time_.now_s()}));
    Life& life = *lives_.back();
    tell("a life begins with {} workers", plan.workers);
    begin(life);
    while (!life.is_over && oracle_.complaints().empty()) {
      go_on();
      if (time_.now_s() - life.began_s > longest_life_s) {
        give_up(life);
      }
    }
    disk_.set_capacity(SimDisk::unlimited);
    bool resumes = false;
    time_.after(chance_.between(0.1, 3), [&resumes] { resumes = true; });
    while (!resumes && oracle_.complaints().empty()) {
      go_on();
    }
    if (oracle_.complaints().empty()) {
      oracle_.look();
      check_work(life);
      is_complete_ = life.code == ExitCode::done || life.code == ExitCode::quarantined;
    }
  }

  /// As a person would: with a complaint, unless there was nobody left to do the work.
  void give_up(Life& life) {
    const bool is_able = std::any_of(life.ranks.begin() + 1, life.ranks.end(), [](const auto& rank) {
      return !rank->is_gone && !rank->has_given_up && !rank->process.is_stopped;
    });
    if (is_able) {
      oracle_.complain("the run does not end");
    }
    kill_all(life);
  }

  void go_on() {
    time_.go_on();
    if (power_is_out_) {
      power_is_out_ = false;
      tell("power is lost");
      disk_.lose_power();
    }
  }

  void begin(Life& life) {
    life.ranks.reserve(static_cast<std::size_t>(life.plan.workers) + 1);
    for (int number = 0; number <= life.plan.workers; ++number) {
      life.ranks.push_back(std::make_unique<Rank>(Rank{.life = life, .number = number}));
      Rank& rank = *life.ranks.back();
      rank.process.name = fmt::format("rank {} of life {}", number, lives_.size());
      rank.process.dies = [this, &rank] { dies(rank); };
      rank.disk = std::make_unique<ProcessDisk>(disk_, rank.process, watch_);
      rank.end = std::make_unique<End>(*this, rank);
      rank.end = std::make_unique<End>(*this, rank);
      time_.after(chance_.exponential(0.2), [this, &rank] { start(rank); });
    }
    for (const Blow& blow : life.plan.blows) {
      time_.after(blow.at_s, [this, &life, &blow] {
        if (!life.is_over) {
          strike(life, blow);
        }
      });
    }
  }

  void start(Rank& rank) {
    if (rank.process.is_dead) {
      return;
    }
    if (rank.number == 0) {
      guarded(rank, [&] { lead(rank); });
    } else {
      rank.worker = std::make_unique<Worker>(*rank.end, worker_parts(rank));
      rank.worker->say_hello();
    }
    tick(rank);
  }

  /// As prepare_job() and coordinate() do it.
  void lead(Rank& rank) {
    Life& life = rank.life;
    Prospect prospect;
    prospect.config = config();
    prospect.facts = world_.facts;
    prospect.model_digest = {1, 2};
    prospect.identity = "simulated";
    prospect.catalog = catalog();
    Journal journal = Journal::open(layout_.journal(), prospect.state, *rank.disk);
    oracle_.journal_is_durable();
    journal.pass_over(latest_epoch(layout_, *rank.disk));
    life.job = std::make_unique<Job>(
        Job{std::move(prospect), RunFolder::unlocked(layout_, *rank.disk), "run-of-a-seed", std::move(journal)});
    begin_epoch(*life.job,
                {.time = "t",
                 .items = sim_items,
                 .outputs = {{"page", DType::u8}},
                 .plan = "",
                 .folder = "/sim",
                 .identity = "simulated",
                 .catalog_digest = life.job->catalog.digest(),
                 .catalog = {}},
                prove_trivial_shards(*rank.disk, layout_), *rank.disk);
    commit_start(*life.job);
    for (std::uint64_t i = 0; i < sim_items; ++i) {
      for (std::uint32_t block = 0; block < BlockGrid{scenario_.extents[i]}.size(); ++block) {
        const BlockKey key{ItemId{i}, OutputId{0}, BlockId{block}};
        if (life.job->state.committed(key)) {
          life.committed_before.insert(key);
        }
      }
    }
    life.coordinator =
        std::make_unique<Coordinator>(*life.job, *rank.end, coordinator_parts(rank), std::optional<WallTime>{});
  }

  /// Everything that a rank does of its own accord goes through here.
  template <class Action>
  void guarded(Rank& rank, Action action) {
    try {
      action();
    } catch (const Killed&) {
      return;  // dies() has seen to it.
    } catch (const Error& error) {
      if (!rank.process.is_dead) {
        fails(rank, error);
      }
    }
  }

  void fails(Rank& rank, const Error& error) {
    tell("{} fails: {}", rank.process.name, error.what());
    const bool is_latest = &rank.life == lives_.back().get();
    if (!rank.process.has_failed && !rank.life.has_excuse && rank.executor_kills == 0 && is_latest &&
        !rank.life.is_over) {
      oracle_.complain(fmt::format("{} fails without a reason: {}", rank.process.name, error.what()));
    }
    rank.life.is_troubled = true;
    rank.life.has_excuse = true;
    if (rank.number == 0) {
      dismiss_workers(*rank.end, ExitCode::failed);
      ends(rank.life, ExitCode::failed);
      return;
    }
    // As run_worker() does it.
    rank.has_given_up = true;
    close(rank);
    rank.end->send(RankId{0},
                   encode_message(ToCoordinator{WorkerGivesUp{static_cast<std::int32_t>(error.code()), error.what()}}));
  }

  void step(Rank& rank) {
    rank.is_planned = false;
    if (rank.process.is_dead || rank.process.is_stopped || rank.is_gone) {
      return;
    }
    guarded(rank, [&] {
      if (rank.number > 0) {
        step_worker(rank);
      } else if (rank.life.coordinator && !rank.life.is_over) {
        step_coordinator(rank);
      }
    });
  }

  void step_worker(Rank& rank) {
    if (!rank.worker || rank.has_given_up) {
      return;
    }
    if (rank.worker->step()) {
      wake(rank);
    }
    if (rank.worker->leaves_with()) {
      close(rank);
      gone(rank);
    }
  }

  void step_coordinator(Rank& rank) {
    Coordinator& coordinator = *rank.life.coordinator;
    if (!coordinator.has_ended()) {
      if (coordinator.step()) {
        wake(rank);
      }
    }
    if (!coordinator.has_ended()) {
      return;
    }
    const Conclusion conclusion = coordinator.conclude();
    if (rank.process.is_dead) {
      return;
    }
    tell("the coordinator ends with {}: {}", static_cast<int>(conclusion.code), conclusion.error);
    if (conclusion.code == ExitCode::failed && !rank.life.has_excuse) {
      oracle_.complain("the run fails without a reason: " + conclusion.error);
    }
    if (conclusion.code == ExitCode::done || conclusion.code == ExitCode::quarantined) {
      oracle_.hears_of_the_end();
    }
    ends(rank.life, conclusion.code);
  }

  void ends(Life& life, std::optional<ExitCode> code) {
    if (life.is_over) {
      return;
    }
    life.is_over = true;
    life.code = code;
    life.ended_s = time_.now_s();
    const double patience_s = code ? 30 : life.plan.zombies_s;  // MPI_Finalize waits, mpirun kills
    time_.after(patience_s, [this, &life] { kill_all(life); });
  }

  // ---- what goes wrong ----------------------------------------------------------------------------------------------

  void strike(Life& life, const Blow& blow) {
    if (blow.rank > life.plan.workers) {
      return;
    }
    Rank& rank = *life.ranks[static_cast<std::size_t>(blow.rank)];
    ++report_.mishaps[static_cast<std::size_t>(blow.mishap)];
    tell("mishap {} to rank {} for {:.1f} s{}", static_cast<int>(blow.mishap), blow.rank, blow.for_s,
         blow.call ? fmt::format(", at call {}", *blow.call) : "");
    switch (blow.mishap) {
      case Mishap::kill_executor: kill_executor(rank); break;
      case Mishap::kill_worker:
      case Mishap::kill_coordinator: kill(rank, blow.call); break;
      case Mishap::kill_all: kill_all(life); break;
      case Mishap::power_loss:
        if (blow.call) {
          dies_with_power_ = &rank;
          kill(rank, blow.call);
        } else {
          lose_power();
        }
        break;
      case Mishap::stop_worker: stop(rank, blow.for_s); break;
      case Mishap::disk_full:
        life.is_troubled = life.has_excuse = life.may_wait = true;
        disk_.set_capacity(disk_.used() + chance_.below(3000));
        time_.after(blow.for_s, [this] { disk_.set_capacity(SimDisk::unlimited); });
        break;
      case Mishap::disk_error:
        life.is_troubled = life.has_excuse = true;
        rank.process.calls_to_fail = blow.call;
        break;
      case Mishap::drain:
        life.is_troubled = true;
        wish_ = StopWish{"the seed asks to stop", chance_.happens(0.5) ? drain_patience_s : 0};
        wishes_in_ = &life;
        break;
    }
  }

  /// Few enough that by the rules of plan/in_flight neither an item nor a device may be blamed.
  void kill_executor(Rank& rank) {
    if (rank.executor != nullptr && rank.executor_kills < 2 && !rank.process.is_dead) {
      ++rank.executor_kills;
      rank.life.has_excuse = true;
      rank.executor->die(DeathCause::killed, "SIGKILL");
    }
  }

  void kill(Rank& rank, std::optional<std::uint64_t> call) {
    if (rank.process.is_dead || rank.is_gone) {
      return;
    }
    if (call) {
      rank.process.calls_to_live = call;
      return;
    }
    rank.process.is_dead = true;
    dies(rank);
  }

  /// The process is dead already; what follows of that?
  void dies(Rank& rank) {
    tell("{} dies", rank.process.name);
    gone(rank);
    if (dies_with_power_ == &rank) {
      dies_with_power_ = nullptr;
      lose_power();
      return;
    }
    Life& life = rank.life;
    if (rank.number == 0) {
      ends(life, std::nullopt);
      return;
    }
    life.is_troubled = life.is_troubled || !life.plan.mpi_ends_all;
    life.may_wait = life.may_wait || !life.plan.mpi_ends_all;
    life.has_excuse = true;
    time_.after(life.plan.mpi_ends_all ? chance_.between(0, 1) : chance_.between(100, 300),
                [this, &life] { kill_all(life); });
  }

  void kill_all(Life& life) {
    for (const auto& rank : life.ranks) {
      if (!rank->process.is_dead) {
        rank->process.is_dead = true;
        gone(*rank);
      }
    }
    ends(life, std::nullopt);
  }

  void lose_power() {
    power_is_out_ = true;
    for (const auto& life : lives_) {
      kill_all(*life);
    }
  }

  void stop(Rank& rank, double for_s) {
    rank.life.is_troubled = rank.life.may_wait = true;
    rank.process.is_stopped = true;
    time_.after(for_s, [this, &rank] {
      rank.process.is_stopped = false;
      wake(rank);
    });
  }

  /// A worker ends in order.
  void close(Rank& rank) {
    if (rank.store != nullptr) {
      rank.store->close();
    }
    if (rank.executor != nullptr) {
      rank.executor->vanish();
    }
  }

  void gone(Rank& rank) {
    if (!rank.is_gone) {
      rank.is_gone = true;
      rank.gone_s = time_.now_s();
    }
    if (rank.executor != nullptr) {
      rank.executor->vanish();
    }
  }

  // ---- time and messages --------------------------------------------------------------------------------------------

  /// Each rank looks around a few times a second; when nothing goes on for a minute, less often.
  void tick(Rank& rank) {
    if (rank.process.is_dead || rank.is_gone || (rank.number == 0 && rank.life.is_over)) {
      return;
    }
    if (rank.store != nullptr) {
      guarded(rank, [&] { rank.store->tick(); });
    }
    step(rank);
    time_.after(time_.now_s() - rank.life.began_s < 60 ? 0.25 : 1, [this, &rank] { tick(rank); });
  }

  /// Something has come for the rank: it will look soon.
  void wake(Rank& rank) {
    if (!rank.is_planned) {
      rank.is_planned = true;
      time_.after(chance_.exponential(rank.number == 0 ? 0.004 : 0.001), [this, &rank] { step(rank); });
    }
  }

  void deliver(Rank& from, RankId to, Bytes payload, std::int64_t at_us) {
    Rank& rank = *from.life.ranks[static_cast<std::size_t>(index(to))];
    time_.at(at_us, [this, &rank, from = RankId{from.number}, payload = std::move(payload)]() mutable {
      if (rank.process.is_dead) {
        return;
      }
      if (is_told_) {
        tell("{} hears {} of rank {}", rank.process.name, words_of(rank, payload), index(from));
      }
      rank.inbox.push_back({from, std::move(payload)});
      wake(rank);
    });
  }

  /// For the story: what is said about which item.
  static std::string words_of(const Rank& rank, const Bytes& payload) {
    if (rank.number > 0) {
      const auto message = decode_message<ToWorker>(payload);
      std::string text = fmt::format("order {}", message.index());
      if (const auto* const unit = std::get_if<AssignUnit>(&message)) {
        for (const AssignedItem& item : unit->items) {
          text += fmt::format(", make item {}", index(item.item));
        }
      }
      return text;
    }
    const auto message = decode_message<ToCoordinator>(payload);
    if (const auto* const computed = std::get_if<ItemIsComputed>(&message)) {
      return fmt::format("of item {} computed", index(computed->item));
    }
    if (const auto* const failed = std::get_if<ItemHasFailed>(&message)) {
      return fmt::format("of item {} failed ({})", index(failed->item), name(failed->fault));
    }
    if (const auto* const back = std::get_if<ItemComesBack>(&message)) {
      return fmt::format("of item {} given back", index(back->item));
    }
    return fmt::format("report {}", message.index());
  }

  // ---- parts --------------------------------------------------------------------------------------------------------

  WorkerParts worker_parts(Rank& rank) {
    return {.share = {.device = "sim", .worker = rank.number - 1, .workers = rank.life.plan.workers},
            .now_us = [this] { return time_.now_us(); },
            .host_executor =
                [this, &rank](DevicesConfig::Isolation, const Arena& arena) {
                  auto executor = std::make_unique<SimExecutor>(
                      world_,
                      SimExecutor::Settings{.rank = rank.number,
                                            .lanes = scenario_.lanes,
                                            .px_per_s = scenario_.px_per_s[static_cast<std::size_t>(rank.number)],
                                            .life = lives_.size() - 1},
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
            .read_config = [this](const Welcome&) { return config(); }};
  }

  CoordinatorParts coordinator_parts(Rank& rank) {
    Life& life = rank.life;
    const auto shown = [this, &rank, &life] {
      if (!rank.process.is_dead) {
        oracle_.hears_of(life.job->state);
      }
    };
    return {.now_s = [this] { return time_.now_s(); },
            .disk = *rank.disk,
            .open_log = [] { return std::make_unique<RankLog>(); },
            .stop_wish = [this, &life](LiveState&) { return wishes_in_ == &life ? wish_ : std::optional<StopWish>{}; },
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

  const RunConfig& config() {
    if (config_.pipeline.empty()) {
      static const RunConfig base = parse_config(
          "schema: 1\ninput: [{path: pages}]\npipeline: [{id: up, model: m.onnx, image: {color: Y}}]\n"
          "devices: {jobs_per_device: 1, memory: {cap: 1GiB}}\noutput: {dir: /sim/run}\n",
          "the simulation", "/sim");
      config_ = base;
      config_.tiles.size = {TileSize::Kind::fixed, 2048};  // One candidate: the planner is not what is played.
      config_.devices.isolation =
          DevicesConfig::Isolation::none;  // Else each rank measures the memory of this process.
      config_.output.shard_size = scenario_.shard_size;
      config_.output.seal_after = milliseconds(scenario_.seal_after_s);
      config_.output.wait_for_space = milliseconds(scenario_.wait_for_space_s);
      config_.on_error.hang_after = milliseconds(scenario_.hang_after_s);
      config_.schedule.policy = scenario_.policy;
      config_.devices.jobs_per_device = scenario_.lanes;
    }
    return config_;
  }
  static std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds{std::llround(1000 * seconds)};
  }

  const Catalog& catalog() {
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

  static ModelFacts model_facts() {
    ModelFacts facts;
    facts.input_channels = 1;
    facts.output_channels = 1;
    facts.local = true;
    facts.makes_image = true;
    facts.followed = true;
    facts.layers.push_back({.macs_per_px = 10, .shrink = {}});
    return facts;
  }

  // ---- what the oracle is told --------------------------------------------------------------------------------------

  Ailment ailment_of(const BlockKey& key) {
    const auto found = scenario_.ailments.find(key.item);
    if (found == scenario_.ailments.end() || scenario_.ailing_block.at(key.item) != index(key.block)) {
      return Ailment::none;
    }
    if (found->second == Ailment::flaky && !has_been_flaky_.insert(key.item).second) {
      return Ailment::none;
    }
    return found->second;
  }

  void made(std::size_t life_at, int rank, const BlockKey& key) {
    Life& life = *lives_[life_at];
    ++report_.made;
    tell("rank {} has made block {} of item {}", rank, index(key.block), index(key.item));
    ever_made_.insert(key);
    life.made.push_back({key, rank, time_.now_s()});
    if (life.committed_before.contains(key)) {
      oracle_.complain(fmt::format("block {} of item {} is made again, and was committed before this life began",
                                   index(key.block), index(key.item)));
    }
  }

  /// What is made again is what was in flight and what one seal window holds, and no more.
  void check_work(const Life& life) {
    check_pace(life);
    const bool hangs = std::any_of(scenario_.ailments.begin(), scenario_.ailments.end(),
                                   [](const auto& one) { return one.second == Ailment::hanging; });
    // A doubled SealRequest says that the open shard is closed: what is in it by then is made again.
    if (life.is_troubled || hangs || scenario_.doubled > 0) {
      return;
    }
    const double window_s = scenario_.seal_after_s + 3 + 40 * scenario_.latency_s;
    std::set<BlockKey> made;
    for (const Made& one : life.made) {
      if (!scenario_.is_flawless(one.key.item)) {
        continue;
      }
      const auto name = [&] { return fmt::format("block {} of item {}", index(one.key.block), index(one.key.item)); };
      if (!made.insert(one.key).second) {
        oracle_.complain(name() + " is made twice in a life without a reason for it");
      }
      const Rank& rank = *life.ranks[static_cast<std::size_t>(one.rank)];
      const double end_s = rank.is_gone ? std::min(rank.gone_s, life.ended_s) : life.ended_s;
      if (one.at_s < end_s - window_s && !oracle_.committed().contains(one.key)) {
        oracle_.complain(
            fmt::format("{} was made {:.1f} s before the end and is not committed", name(), end_s - one.at_s));
      }
    }
  }

  /// Nobody waits for what will not come: a life is as long as its work takes those who are left at its end. (Under the
  /// other policies the slowest rank decides.)
  void check_pace(const Life& life) {
    double px = 0;
    for (const Extent extent : scenario_.extents) {
      px += static_cast<double>(extent.area());
    }
    double px_per_s = 0;
    for (const auto& rank : life.ranks) {
      const bool works = rank->number > 0 && !rank->has_given_up && (!rank->is_gone || rank->gone_s >= life.ended_s);
      px_per_s += works ? scenario_.px_per_s[static_cast<std::size_t>(rank->number)] : 0;
    }
    const double ailing_s = 10 * scenario_.hang_after_s * static_cast<double>(scenario_.ailments.size());
    const double longest_s = 60 + 3 * px / std::max(px_per_s, 1.0) + ailing_s;
    const bool is_levelled = scenario_.policy == ScheduleConfig::Policy::resolution;
    if (is_levelled && life.code && !life.may_wait && px_per_s > 0 && life.ended_s - life.began_s > longest_s) {
      oracle_.complain(
          fmt::format("a life took {:.0f} s, and its work at most {:.0f} s", life.ended_s - life.began_s, longest_s));
    }
  }

  void check_the_end() {
    if (!is_complete_) {
      oracle_.complain("the last life was left in peace, and has not completed the run");
      return;
    }
    lose_power();
    power_is_out_ = false;
    disk_.lose_power();
    oracle_.look_at_the_end();
    for (std::uint64_t i = 0; i < sim_items; ++i) {
      const ItemId item{i};
      for (std::uint32_t block = 0; block < BlockGrid{scenario_.extents[i]}.size(); ++block) {
        if (!scenario_.is_poison(item) && !oracle_.committed().contains({item, OutputId{0}, BlockId{block}})) {
          oracle_.complain(fmt::format("item {} is good, and not done", i));
        }
      }
    }
  }

  template <class... Args>
  void tell(fmt::format_string<Args...> text, Args&&... args) {
    if (is_told_) {
      story_.push_back(fmt::format("{:10.3f} s  {}", time_.now_s(), fmt::format(text, std::forward<Args>(args)...)));
      if (tells_at_once_) {
        fmt::print("{}\n", story_.back());
      }
    }
  }

  Scenario scenario_;
  bool is_told_;
  bool tells_at_once_;
  Timeline time_;
  Chance chance_{mix(scenario_.seed + 2)};
  SimDisk disk_{mix(scenario_.seed + 3)};
  RunLayout layout_{"/sim/run"};
  Oracle oracle_{scenario_, disk_, layout_};
  WatchDisk watch_ = [this](const Process& process, const char* what, const std::filesystem::path& path) {
    oracle_.watch(process, what, path);
    tell("{} does \"{}\" to {}", process.name, what, path.string());
  };
  ExecutorWorld world_{.time = time_,
                       .chance = chance_,
                       .ailment = [this](const BlockKey& key) { return ailment_of(key); },
                       .made = [this](std::size_t life, int rank, const BlockKey& key) { made(life, rank, key); },
                       .facts = model_facts()};
  RunConfig config_;
  Catalog catalog_;
  std::vector<std::unique_ptr<Life>> lives_;
  bool power_is_out_ = false;
  Rank* dies_with_power_ = nullptr;
  std::optional<StopWish> wish_;
  Life* wishes_in_ = nullptr;
  std::set<ItemId> has_been_flaky_;
  std::set<BlockKey> ever_made_;
  bool is_complete_ = false;
  std::vector<std::string> story_;
  Report report_;
};

}  // namespace pantile::sim
