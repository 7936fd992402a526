#pragma once
// Decides which rank works on which item, what is retried, what is committed, and when the run is over.
//
// One rule, the policy `resolution`: largest first, to the rank with the earliest predicted finish among those whose
// memory fits; one unit ahead of the running one, so that a rank never waits for an answer. A slow rank therefore
// declines a large item near the end, and leaves it to a fast one that is still busy. The policies `dynamic` (a queue
// in the order of the catalog) and `equal` (a share of the catalog for each rank) are there to compare with.

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.hpp"
#include "config/config.hpp"
#include "plan/commit_ledger.hpp"
#include "plan/outlook.hpp"
#include "plan/rank_pool.hpp"
#include "plan/scheduler_messages.hpp"
#include "plan/waiting_list.hpp"
#include "plan/work.hpp"

namespace pantile {

struct SchedulerSettings {
  ScheduleConfig::Policy policy = ScheduleConfig::Policy::resolution;
  std::uint32_t retries = 2;      ///< further attempts of an item that failed, bad input excepted
  std::uint32_t max_crashes = 2;  ///< an item that ended its executor this often, alone, is quarantined
  std::uint32_t max_losses = 5;   ///< an item at work when its rank was lost, this often, is quarantined
  double unit_s = 0.5;            ///< small items are batched to about this much predicted work
  std::uint32_t max_unit_items = 256;
  double hang_factor = 5;       ///< a rank that is silent for this many times the predicted time of its item hangs …
  double hang_min_s = 30;       ///< … but never before this
  double hang_unknown_s = 600;  ///< … and after this if no rank's speed is known, so that nothing can be predicted
  double last_patience_s = 15;  ///< a rank that has not given its items back so long after it should have, hangs
  double seal_timeout_s = 300;  ///< a rank that does not seal within this time hangs, and its shard is refused
  /// How many ranks will join or turn out unable to. The first item is handed out when they have, or `gather_s` after
  /// the first: else the rank that happens to be first takes the largest items, and were it the slowest. No item is
  /// given up as too large before.
  std::uint32_t expected_ranks = 1;
  double gather_s = 2;
  /// From the last computed item to the end of the process: the last commit, the index, the ranks' leave.
  double close_s = 2;
  /// Input pixels whose output is written, sealed and committed in a second, with an open shard to close. For
  /// deadlines.
  double seal_px_per_s = 20e6;
  std::uint64_t max_quarantine = std::numeric_limits<std::uint64_t>::max();  ///< more than this many stop the run
};

enum class ItemState : std::uint8_t { waiting, running, computed, sealing, committed, quarantined };
inline constexpr std::size_t item_state_count = 6;

/// What a rank is at, for live.json and the progress display.
struct RankView {
  RankId rank{};
  double px_per_s = 0;               ///< 0: not known yet
  std::vector<ItemId> running{};     ///< in the order of work; the first is being computed
  std::uint64_t open_items = 0;      ///< computed, in its open shard
  std::uint64_t computed_items = 0;  ///< since it joined
  bool hangs = false;
};

struct SchedulerProgress {
  std::array<std::uint64_t, item_state_count> items{};  ///< how many are in each ItemState
  std::uint64_t blocks_committed = 0;                   ///< in this epoch
  std::uint64_t px_total = 0;                           ///< of all items to do in this epoch
  std::uint64_t px_left = 0;                            ///< of those waiting or running
  double remaining_s = 0;                               ///< predicted; infinity until a speed is known
  [[nodiscard]] std::uint64_t count(ItemState state) const { return items[static_cast<std::size_t>(state)]; }
};

/// Pure, so that one thread can play a thousand ranks; rank 0 only. Time is an argument: seconds of any clock that
/// never goes back. Events may be late, doubled, or of ranks that are gone: they are ignored where they say nothing
/// new. Dispatch is O(log items), and O(ranks) near the end of the run.
///
/// Invariant after each call: each item is in exactly one ItemState; no block is committed twice or promised to two
/// shards.
class Scheduler {
 public:
  explicit Scheduler(Work work, const SchedulerSettings& settings = {});

  /// The answers to one event, in the order in which they are to be carried out.
  [[nodiscard]] std::vector<Command> on(const Event& event, double now_s);

  [[nodiscard]] bool finished() const noexcept { return finished_; }
  [[nodiscard]] SchedulerProgress progress(double now_s) const;
  [[nodiscard]] std::vector<RankView> ranks() const;
  [[nodiscard]] ItemState state(ItemId item) const;
  /// Recomputes all that is kept up to date by increments, and compares; expect()s. O(blocks): for tests.
  void check_invariants() const;

 private:
  using ItemIndex = CommitLedger::ItemIndex;
  /// A copy is an item in the queue of a rank, or computed in its open shard. There may be several: when a rank hangs.
  struct Item {
    ItemState state = ItemState::waiting;
    bool quarantined = false;
    std::uint16_t running = 0;   ///< copies in queues of ranks that do not hang
    std::uint16_t computed = 0;  ///< copies in open shards of ranks that do not hang
    std::uint16_t crashes = 0;
    std::uint16_t losses = 0;
    std::uint16_t failures = 0;  ///< crashes included
    RankId failed_on{-1};        ///< the last rank that failed it
  };
  static_assert(sizeof(Item) == 16);

  // One handler for each event.
  void handle(const RankJoined& event);
  void handle(const RankUnable& event);
  void handle(const ItemComputed& event);
  void handle(const ItemFailed& event);
  void handle(const ItemReturned& event);
  void handle(const SealAsked& event);
  void handle(const SealReady& event);
  void handle(const SealCommitted& event);
  void handle(const SealAborted& event);
  void handle(const RankLost& event);
  void handle(const SpaceIs& event);
  void handle(const RankWaits& event);
  void handle(const Tick& event);
  void handle(const Drain& event);
  void handle(const Deadline& event);

  // Items: each change of a copy or a block ends in refile(), which derives the state and keeps lists and counts.
  [[nodiscard]] ItemState derive(ItemIndex at) const;
  void refile(ItemIndex at);
  void refile(const std::vector<ItemIndex>& items);
  void quarantine(ItemIndex at, Fault fault, std::string detail);
  void forget_open(Rank& rank);
  void count_copies(const Rank& rank, int by);
  void set_hangs(Rank& rank, bool hangs);
  Rank* heard_from(RankId rank);

  // Dispatch (scheduler_dispatch.cpp).
  [[nodiscard]] bool is_gathered() const;
  void dispatch();
  void give_up_unfit();
  [[nodiscard]] bool assign(Rank& rank, std::optional<ItemIndex> first);
  [[nodiscard]] bool fits(const Rank& rank, ItemIndex at) const;
  [[nodiscard]] bool should_avoid(const Rank& rank, ItemIndex at) const;
  [[nodiscard]] std::optional<ItemIndex> largest_for(const Rank& rank, std::uint64_t limit_px) const;
  [[nodiscard]] std::optional<ItemIndex> choose(const Rank& rank, Outlook& outlook);
  [[nodiscard]] std::optional<ItemIndex> choose_largest(const Rank& rank, Outlook& outlook) const;
  [[nodiscard]] std::optional<ItemIndex> following(const Rank& rank, ItemIndex at) const;
  [[nodiscard]] double unit_target_px(const Rank& rank) const;

  // The deadline (scheduler_deadline.cpp).
  [[nodiscard]] double seal_s(const Rank& rank) const;
  [[nodiscard]] std::uint64_t limit_px(const Rank& rank) const;
  [[nodiscard]] std::optional<ItemIndex> smallest_for(const Rank& rank) const;
  void watch_deadline();
  void call_time();

  // The policies to compare with (scheduler_policies.cpp).
  /// A part of the items in the order of the catalog, [begin, end), that one rank makes under `equal`.
  struct Share {
    RankId owner{};
    ItemIndex begin = 0;
    ItemIndex end = 0;
  };
  [[nodiscard]] bool may_take(const Rank& rank, ItemIndex at) const;
  [[nodiscard]] std::optional<ItemIndex> next_in_order(const Rank& rank) const;
  [[nodiscard]] std::optional<ItemIndex> next_of_share(const Rank& rank);
  [[nodiscard]] std::optional<ItemIndex> next_stray(const Rank& rank) const;
  [[nodiscard]] bool is_one_share(ItemIndex first, ItemIndex second) const;
  void share_out();

  // The end.
  [[nodiscard]] bool is_ending() const { return patience_s_.has_value() || out_of_time_; }
  [[nodiscard]] bool dispatches() const { return !is_ending() && space_ == Space::enough && !waiting_.empty(); }
  [[nodiscard]] bool has_rows_to_seal(const Rank& rank) const;
  [[nodiscard]] bool is_silent(const Rank& rank) const;
  void find_hanging();
  void ask_seals();
  void conclude();

  SchedulerSettings settings_;
  CommitLedger ledger_;
  std::vector<Item> items_;
  WaitingList waiting_;
  RankPool ranks_;
  std::vector<Share> shares_;   ///< of `equal`: one for each rank that had joined at the first dispatch
  std::set<ItemIndex> strays_;  ///< of `equal`: what its owner cannot make, or should not try again
  std::array<std::uint64_t, item_state_count> counts_{};
  std::array<std::uint64_t, item_state_count> px_{};
  std::uint32_t ranks_joined_ = 0;  ///< or unable to
  double first_joined_s_ = 0;
  std::optional<double> patience_s_;  ///< since a request to stop: the least that was told
  double patience_ends_s_ = 0;        ///< when it is over: all items that are not computed are on their way back
  std::optional<double> deadline_s_;
  double first_dispatch_s_ = -1;  ///< negative: nothing was handed out yet
  bool out_of_time_ = false;      ///< nothing that is left fits before the deadline
  Space space_ = Space::enough;
  std::optional<double> space_back_s_;  ///< when the disk was last full no more
  bool finished_ = false;
  double now_s_ = 0;               ///< of the event at hand
  std::vector<Command> commands_;  ///< the answers to the event at hand
};

}  // namespace pantile
