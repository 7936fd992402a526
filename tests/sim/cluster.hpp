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
  std::map<int, DeviceUse> uses;  ///< what the device of each rank was told last
};

enum class Story : std::uint8_t {
  untold,
  told,
  told_at_once  ///< on stdout, too: of a run that aborts nothing else is left
};

class Cluster {
 public:
  explicit Cluster(Scenario scenario, Story story = Story::untold);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  Report run();

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

  // Lives (cluster.cpp).
  void live(const LifePlan& plan);

  /// As a person would: with a complaint, unless there was nobody left to do the work.
  void give_up(Life& life);
  void go_on();
  void begin(Life& life);
  void start(Rank& rank);

  /// As prepare_job() and coordinate() do it.
  void lead(Rank& rank);

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

  void fails(Rank& rank, const Error& error);
  void step(Rank& rank);
  void step_worker(Rank& rank);
  void step_coordinator(Rank& rank);
  void ends(Life& life, std::optional<ExitCode> code);

  // What goes wrong (cluster_mishaps.cpp).
  void strike(Life& life, const Blow& blow);

  /// Few enough that by the rules of plan/in_flight neither an item nor a device may be blamed.
  void kill_executor(Rank& rank);
  void kill(Rank& rank, std::optional<std::uint64_t> call);

  /// The process is dead already; what follows of that?
  void dies(Rank& rank);
  void kill_all(Life& life);
  void lose_power();
  void stop(Rank& rank, double for_s);

  /// A worker ends in order.
  void close(Rank& rank);
  void gone(Rank& rank);

  // Time and messages (cluster_messages.cpp).
  /// Each rank looks around a few times a second; when nothing goes on for a minute, less often.
  void tick(Rank& rank);

  /// Something has come for the rank: it will look soon.
  void wake(Rank& rank);
  void deliver(Rank& from, RankId to, Bytes payload, std::int64_t at_us);

  /// For the story: what is said about which item.
  static std::string words_of(const Rank& rank, const Bytes& payload);

  // Parts (cluster_parts.cpp).
  WorkerParts worker_parts(Rank& rank);
  CoordinatorParts coordinator_parts(Rank& rank);
  const RunConfig& config();
  static std::chrono::milliseconds milliseconds(double seconds);
  const Catalog& catalog();
  static ModelFacts model_facts();

  // What the oracle is told (cluster_checks.cpp).
  Ailment ailment_of(const BlockKey& key);
  void made(std::size_t life_at, int rank, const BlockKey& key);

  /// What is made again is what was in flight and what one seal window holds, and no more.
  void check_work(const Life& life);

  /// Nobody waits for what will not come: a life is as long as its work takes those who are left at its end. (Under the
  /// other policies the slowest rank decides.)
  void check_pace(const Life& life);
  void check_the_end();

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
                       .told = [this](int rank, const DeviceUse& use) { report_.uses[rank] = use; },
                       .facts = model_facts()};
  RunConfig config_;
  Catalog catalog_;
  std::vector<std::unique_ptr<Life>> lives_;
  bool power_is_out_ = false;
  Rank* dies_with_power_ = nullptr;
  std::optional<StopWish> wish_;
  Life* wishes_in_ = nullptr;
  std::vector<ControlRequest> sets_;  ///< that no coordinator has taken yet
  int sets_made_ = 0;
  std::set<ItemId> has_been_flaky_;
  std::set<BlockKey> ever_made_;
  bool is_complete_ = false;
  std::vector<std::string> story_;
  Report report_;
};

}  // namespace pantile::sim
