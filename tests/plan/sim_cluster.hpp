#pragma once
// A whole cluster on one thread: ranks, messages, shards, a journal and their mishaps, all drawn from one seed.
//
// The scheduler is the real one; what is played is the world around it. A rank works its queue off in order, collects
// rows in an open shard, and seals it by the protocol of plan/scheduler_messages.hpp. Messages of one rank arrive in
// order, as MPI has it, unless `reorder` is set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "plan/scheduler.hpp"

namespace pantile::sim {

struct Options {
  std::uint64_t seed = 1;
  std::vector<double> px_per_s{};  ///< one for each rank
  double noise = 0;                ///< each item takes a factor in [1 − noise, 1 + noise] longer
  double hint_error = -1;    ///< ranks tell a speed from their probes, up to so much wrong; negative: they tell none
  double latency_s = 0.001;  ///< mean of a message
  std::uint32_t rows_per_shard = 40;
  double close_s = 0.02;  ///< to write and sync a shard
  double journal_s = 0.01;
  bool reorder = false;   ///< messages of one rank overtake one another
  double doubled = 0;     ///< probability that a message arrives twice
  double rank_lost = 0;   ///< probability that a rank is lost, at a random time; the last one stays
  double rank_hangs = 0;  ///< probability that a rank stops for a while, once
  double longest_stop_s = 400;
  double disk_full = 0;         ///< probability that the disk is full for a while, twice; shards are lost meanwhile
  double shard_aborted = 0;     ///< probability of an I/O error when a shard is closed
  double item_returned = 0;     ///< probability that a rank gives an item back
  std::set<ItemId> bad{};       ///< inputs that cannot be decoded
  std::set<ItemId> broken{};    ///< items that the model refuses, always
  std::set<ItemId> crashing{};  ///< items that end their executor, always
  double model_fails = 0;       ///< probability that a run of the model fails, once
  double drain_at_s = -1;
  double deadline_s = -1;
  bool checks_each_step = false;  ///< check_invariants() after each event; slow
  SchedulerSettings settings{};
};

/// What the journal of the played run says at its end.
struct Journal {
  std::set<BlockKey> committed;
  std::map<ItemId, Quarantine> quarantined;
};

/// What went wrong, so that a test can see that something did.
struct Mishaps {
  std::uint64_t ranks_lost = 0;
  std::uint64_t ranks_hung = 0;
  std::uint64_t shards_aborted = 0;
  std::uint64_t disks_full = 0;
  std::uint64_t shards_refused = 0;
  std::uint64_t rows_unwanted = 0;
  std::uint64_t items_failed = 0;
  Mishaps& operator+=(const Mishaps& other) {
    ranks_lost += other.ranks_lost;
    ranks_hung += other.ranks_hung;
    shards_aborted += other.shards_aborted;
    disks_full += other.disks_full;
    shards_refused += other.shards_refused;
    rows_unwanted += other.rows_unwanted;
    items_failed += other.items_failed;
    return *this;
  }
};

struct Report {
  Mishaps mishaps;
  Journal journal;
  Outcome outcome{};
  bool has_finished = false;
  double makespan_s = 0;
  std::uint64_t units = 0;
  std::uint64_t assigned_items = 0;
  std::uint64_t events = 0;
  std::uint64_t times_up = 0;
};

class Cluster {
 public:
  Cluster(Work work, const Options& options)
      : options_{options},
        random_{options.seed},
        costs_{costs_of(work)},
        scheduler_{std::move(work), settings_of(options)} {}

  Report run() {
    start();
    while (!happenings_.empty() && !report_.has_finished && now_s_ < give_up_s) {
      const Happening happening = happenings_.top();
      happenings_.pop();
      now_s_ = happening.at_s;
      take_place(happening);
    }
    scheduler_.check_invariants();
    return std::move(report_);
  }
  [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }

 private:
  static constexpr double give_up_s = 1e6;
  enum class What : std::uint8_t {
    disk_changes,
    to_scheduler,
    to_rank,
    work_done,
    patience_ends,
    shard_closed,
    journal_synced,
    lost,
    stops,
    tick
  };
  struct Happening {
    double at_s = 0;
    std::uint64_t order = 0;  ///< breaks ties, so that a seed replays exactly
    What what = What::tick;
    int rank = 0;
    std::uint32_t payload = 0;  ///< in events_ or in commands_, or a shard
    bool operator<(const Happening& other) const { return std::tie(at_s, order) > std::tie(other.at_s, other.order); }
  };
  struct Shard {
    std::vector<BlockKey> rows;
    bool is_aborted = false;
  };
  struct Player {
    bool is_alive = true;
    double px_per_s = 1;
    double stopped_until_s = 0;
    std::deque<UnitItem> queue;
    bool is_working = false;
    std::uint32_t works = 0;  ///< items begun so far: tells the end of one from that of another
    std::uint32_t open = 0;
    std::map<std::uint32_t, Shard> shards;
    double last_arrival_s = 0;   ///< at the scheduler, to keep the order
    double last_delivery_s = 0;  ///< at the rank
  };

  static SchedulerSettings settings_of(const Options& options) {
    auto settings = options.settings;
    settings.expected_ranks = static_cast<std::uint32_t>(options.px_per_s.size());
    return settings;
  }
  static std::map<ItemId, std::uint64_t> costs_of(const Work& work) {
    std::map<ItemId, std::uint64_t> costs;
    for (const auto& item : work.items()) {
      costs[item.item] = item.cost_px;
    }
    return costs;
  }

  double uniform() { return std::uniform_real_distribution<double>{}(random_); }
  bool happens(double probability) { return probability > 0 && uniform() < probability; }
  void at(double at_s, What what, int rank, std::uint32_t payload = 0) {
    happenings_.push({at_s, ++order_, what, rank, payload});
  }

  void start() {
    players_.resize(options_.px_per_s.size());
    double total_px_per_s = 0;
    double total_px = 0;
    for (const auto& [item, px] : costs_) {
      total_px += static_cast<double>(px);
    }
    for (const auto px_per_s : options_.px_per_s) {
      total_px_per_s += px_per_s;
    }
    const double span_s = total_px / total_px_per_s;
    for (int rank = 0; rank < static_cast<int>(players_.size()); ++rank) {
      player(rank).px_per_s = options_.px_per_s[static_cast<std::size_t>(rank)];
      const double hint = options_.hint_error < 0 ? 0 : 1 + options_.hint_error * (2 * uniform() - 1);
      tell(rank, RankJoined{.rank = id(rank), .px_per_s = hint * player(rank).px_per_s});
      if (happens(options_.rank_lost) && rank > 0) {
        at(span_s * 1.2 * uniform(), What::lost, rank);
      }
      if (happens(options_.rank_hangs)) {
        at(span_s * 0.9 * uniform(), What::stops, rank);
      }
    }
    for (int time = 0; time < 2; ++time) {
      if (happens(options_.disk_full)) {
        at(span_s * uniform(), What::disk_changes, 0, 1);
      }
    }
    if (options_.drain_at_s >= 0) {
      send(Drain{}, options_.drain_at_s, -1);
    }
    if (options_.deadline_s >= 0) {
      send(Deadline{options_.deadline_s}, 0, -1);
      tick_s_ = 0.25;
    }
    at(tick_s_, What::tick, 0);
  }

  // ---- messages

  /// A rank speaks to the scheduler.
  void tell(int rank, const Event& event) {
    const double arrival_s = now_s_ + options_.latency_s * 2 * uniform();
    auto& last_s = player(rank).last_arrival_s;
    last_s = options_.reorder ? arrival_s : std::max(last_s, arrival_s);
    send(event, last_s, rank);
    if (happens(options_.doubled)) {
      send(event, last_s + options_.latency_s * 50 * uniform(), rank);
    }
  }
  void send(const Event& event, double at_s, int rank) {
    events_.push_back(event);
    at(at_s, What::to_scheduler, rank, static_cast<std::uint32_t>(events_.size() - 1));
  }
  /// The scheduler speaks to a rank. Commands are not doubled, and keep their order.
  void deliver(RankId rank, const Command& command) {
    auto& last_s = player(number(rank)).last_delivery_s;
    last_s = std::max(last_s, now_s_ + options_.latency_s * 2 * uniform());
    commands_.push_back(command);
    at(last_s, What::to_rank, number(rank), static_cast<std::uint32_t>(commands_.size() - 1));
  }

  void take_place(const Happening& happening) {
    auto& rank = player(happening.rank);
    switch (happening.what) {
      case What::to_scheduler: hear(events_[happening.payload]); break;
      case What::tick:
        hear(Tick{});
        at(now_s_ + tick_s_, What::tick, 0);
        break;
      case What::disk_changes:
        is_full_ = happening.payload == 1;
        report_.mishaps.disks_full += happening.payload;
        hear(SpaceIs{!is_full_ ? Space::enough : happens(0.5) ? Space::full : Space::low});
        if (is_full_) {
          at(now_s_ + options_.longest_stop_s * uniform(), What::disk_changes, 0, 0);
        }
        break;
      case What::journal_synced: commit(commits_[happening.payload]); break;
      case What::lost:
        rank.is_alive = false;
        ++report_.mishaps.ranks_lost;
        tell(happening.rank, RankLost{id(happening.rank)});
        break;
      case What::stops:
        rank.stopped_until_s = now_s_ + 1 + options_.longest_stop_s * uniform();
        ++report_.mishaps.ranks_hung;
        break;
      default:
        if (!rank.is_alive) {
          break;
        }
        if (rank.stopped_until_s > now_s_) {  // does nothing now, and all of it later
          at(rank.stopped_until_s, happening.what, happening.rank, happening.payload);
        } else if (happening.what == What::to_rank) {
          obey(happening.rank, commands_[happening.payload]);
        } else if (happening.what == What::work_done) {
          finish_item(happening.rank, happening.payload);
        } else if (happening.what == What::patience_ends) {
          give_back_begun(happening.rank);
        } else {
          closed(happening.rank, happening.payload);
        }
    }
  }

  // ---- the coordinator's side

  void hear(const Event& event) {
    ++report_.events;
    for (auto& command : scheduler_.on(event, now_s_)) {
      std::visit([&](auto& one) { carry_out(one); }, command);
    }
    if (options_.checks_each_step) {
      scheduler_.check_invariants();
    }
  }

  void carry_out(Assign& command) {
    ++report_.units;
    report_.assigned_items += command.unit.items.size();
    EXPECT_FALSE(command.unit.items.empty());
    deliver(command.rank, std::move(command));
  }
  void carry_out(Quarantine& command) {
    const auto item = command.item;
    EXPECT_TRUE(report_.journal.quarantined.emplace(item, std::move(command)).second) << "quarantined twice";
  }
  void carry_out(const RecordFailure&) { ++report_.mishaps.items_failed; }
  void carry_out(const RefuseShard&) { ++report_.mishaps.shards_refused; }
  void carry_out(const CommitShard& command) {
    // The journal knows the rows of the seal message; here the verdict tells them.
    commits_.push_back(command);
    at(now_s_ + options_.journal_s * uniform(), What::journal_synced, number(command.rank),
       static_cast<std::uint32_t>(commits_.size() - 1));
  }
  void carry_out(SealVerdict& command) {
    verdicts_[{command.rank, command.shard}] = command.wanted;
    report_.mishaps.rows_unwanted +=
        static_cast<std::uint64_t>(std::count(command.wanted.begin(), command.wanted.end(), false));
    deliver(command.rank, command);
  }
  void carry_out(const TimeIsUp&) { ++report_.times_up; }
  void carry_out(const Dismiss&) {}
  void carry_out(const Finished& command) {
    EXPECT_FALSE(report_.has_finished) << "finished twice";
    report_.has_finished = true;
    report_.outcome = command.outcome;
    report_.makespan_s = now_s_;
  }
  template <class ToRank>
  void carry_out(const ToRank& command) {
    deliver(command.rank, command);
  }

  void commit(const CommitShard& command) {
    const auto& rows = player(number(command.rank)).shards.at(index(command.shard)).rows;
    const auto& wanted = verdicts_.at({command.rank, command.shard});
    ASSERT_EQ(rows.size(), wanted.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (wanted[row]) {
        EXPECT_TRUE(report_.journal.committed.insert(rows[row]).second) << "a block is committed twice";
      }
    }
    hear(SealCommitted{command.rank, command.shard});
  }

  // ---- a rank's side

  void obey(int number, const Command& command) {
    auto& rank = player(number);
    if (const auto* assign = std::get_if<Assign>(&command)) {
      rank.queue.insert(rank.queue.end(), assign->unit.items.begin(), assign->unit.items.end());
      begin_item(number);
    } else if (const auto* recall = std::get_if<Recall>(&command)) {
      at(now_s_ + recall->patience_s, What::patience_ends, number);
      while (rank.queue.size() > (rank.is_working ? 1 : 0)) {
        tell(number, ItemReturned{id(number), rank.queue.back().item});
        rank.queue.pop_back();
      }
    } else if (std::holds_alternative<AskSeal>(command)) {
      ask_to_seal(number);
    } else if (const auto* verdict = std::get_if<SealVerdict>(&command)) {
      if (std::count(verdict->wanted.begin(), verdict->wanted.end(), true) > 0) {
        at(now_s_ + options_.close_s * (0.5 + uniform()), What::shard_closed, number, index(verdict->shard));
      }
    }
  }

  void begin_item(int number) {
    auto& rank = player(number);
    if (rank.is_working || rank.queue.empty()) {
      return;
    }
    rank.is_working = true;
    const auto item = rank.queue.front().item;
    const double factor = 1 + options_.noise * (2 * uniform() - 1);
    const double seconds = options_.bad.contains(item) ? 0.001 : static_cast<double>(costs_.at(item)) / rank.px_per_s;
    at(now_s_ + seconds * factor, What::work_done, number, ++rank.works);
  }

  void give_back_begun(int number) {
    auto& rank = player(number);
    if (rank.is_working) {
      tell(number, ItemReturned{id(number), rank.queue.front().item});
      rank.queue.pop_front();
      rank.is_working = false;
    }
  }

  void finish_item(int number, std::uint32_t work) {
    auto& rank = player(number);
    if (!rank.is_working || rank.works != work) {
      return;  // it was given back meanwhile
    }
    const UnitItem done = rank.queue.front();
    rank.queue.pop_front();
    rank.is_working = false;
    if (const auto fault = fault_of(done.item); fault != Fault::none) {
      tell(number, ItemFailed{id(number), done.item, fault, "played"});
    } else if (happens(options_.item_returned)) {
      tell(number, ItemReturned{id(number), done.item});
    } else {
      for (const auto& range : done.blocks) {
        for (std::uint32_t block = 0; block < range.count; ++block) {
          rank.shards[rank.open].rows.push_back({done.item, range.output, BlockId{index(range.first) + block}});
          if (rank.shards[rank.open].rows.size() >= options_.rows_per_shard) {
            ask_to_seal(number);  // also in the middle of an item
          }
        }
      }
      tell(number, ItemComputed{id(number), done.item, static_cast<double>(costs_.at(done.item)) / rank.px_per_s});
    }
    begin_item(number);
  }

  Fault fault_of(ItemId item) {
    if (options_.bad.contains(item)) {
      return Fault::truncated;
    }
    if (options_.crashing.contains(item)) {
      return Fault::crashed;
    }
    return options_.broken.contains(item) || happens(options_.model_fails) ? Fault::model_failed : Fault::none;
  }

  void ask_to_seal(int number) {
    auto& rank = player(number);
    auto& shard = rank.shards[rank.open];
    if (happens(is_full_ ? 0.8 : options_.shard_aborted) && !shard.rows.empty()) {
      shard.is_aborted = true;
      ++report_.mishaps.shards_aborted;
      if (happens(0.5)) {  // the error came while it was written, before the question
        tell(number, SealAborted{id(number), ShardId{rank.open}});
        ++rank.open;
        return;
      }
    }
    tell(number, SealAsked{id(number), ShardId{rank.open}, shard.rows});
    if (!shard.rows.empty()) {
      ++rank.open;
    }
  }

  void closed(int number, std::uint32_t shard) {
    if (player(number).shards[shard].is_aborted) {
      tell(number, SealAborted{id(number), ShardId{shard}});
    } else {
      tell(number, SealReady{id(number), ShardId{shard}});
    }
  }

  static RankId id(int number) { return RankId{number + 1}; }
  static int number(RankId rank) { return index(rank) - 1; }
  Player& player(int number) { return players_[static_cast<std::size_t>(std::max(0, number))]; }

  Options options_;
  std::mt19937_64 random_;
  std::map<ItemId, std::uint64_t> costs_;
  Scheduler scheduler_;
  double now_s_ = 0;
  double tick_s_ = 1;
  bool is_full_ = false;
  std::uint64_t order_ = 0;
  std::vector<Player> players_;
  std::priority_queue<Happening> happenings_;
  std::deque<Event> events_;
  std::deque<Command> commands_;
  std::vector<CommitShard> commits_;
  std::map<std::pair<RankId, ShardId>, std::vector<bool>> verdicts_;
  Report report_;
};

}  // namespace pantile::sim
