#include "plan/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace pantile {

namespace {

std::vector<std::uint64_t> costs(const CommitLedger& ledger) {
  std::vector<std::uint64_t> costs(ledger.size());
  for (CommitLedger::ItemIndex at = 0; at < costs.size(); ++at) {
    costs[at] = ledger.item(at).cost_px;
  }
  return costs;
}

WaitingList::Order order_of(ScheduleConfig::Policy policy) {
  return policy == ScheduleConfig::Policy::resolution ? WaitingList::Order::largest_first
                                                      : WaitingList::Order::as_given;
}

}  // namespace

Scheduler::Scheduler(Work work, const SchedulerSettings& settings)
    : settings_{settings},
      ledger_{std::move(work)},
      items_(ledger_.size()),
      waiting_{costs(ledger_), order_of(settings.policy)} {
  for (ItemIndex at = 0; at < items_.size(); ++at) {
    items_[at].failures = ledger_.item(at).failed_attempts;
    waiting_.insert(at);
    counts_[static_cast<std::size_t>(ItemState::waiting)] += 1;
    px_[static_cast<std::size_t>(ItemState::waiting)] += ledger_.item(at).cost_px;
  }
}

std::vector<Command> Scheduler::on(const Event& event, double now_s) {
  if (finished_) {
    return {};
  }
  expect(now_s >= now_s_, "time does not go back");
  now_s_ = now_s;
  commands_.clear();
  std::visit([this](const auto& one) { handle(one); }, event);
  dispatch();
  watch_deadline();
  ask_seals();
  conclude();
  return std::exchange(commands_, {});
}

// ---- events ---------------------------------------------------------------------------------------------------------

void Scheduler::handle(const RankJoined& event) {
  first_joined_s_ = ranks_joined_ == 0 ? now_s_ : first_joined_s_;
  ranks_joined_ += ranks_.find(event.rank) == nullptr ? 1 : 0;
  auto& rank = ranks_.join(event.rank);
  rank.lanes = std::max(1, event.lanes);
  rank.largest_px = event.largest_px;
  if (event.px_per_s > 0 && !rank.speed.is_known()) {
    ranks_.learn(rank, static_cast<std::uint64_t>(event.px_per_s), 1);  // as if it had worked for a second
  }
  ranks_.standing_changed(rank);
}

void Scheduler::handle(const RankUnable& event) {
  first_joined_s_ = ranks_joined_ == 0 ? now_s_ : first_joined_s_;
  ranks_joined_ += ranks_.find(event.rank) == nullptr ? 1 : 0;
}

void Scheduler::handle(const ItemComputed& event) {
  auto* rank = heard_from(event.rank);
  const auto at = ledger_.find(event.item);
  if (rank == nullptr || !at || !rank->remove(*at, now_s_)) {
    return;
  }
  --items_[*at].running;
  ++rank->computed_items;
  ranks_.learn(*rank, ledger_.item(*at).cost_px, event.seconds);
  if (!items_[*at].quarantined && ledger_.loose(*at) > 0) {
    rank->open.insert(*at);
    rank->open_px += ledger_.item(*at).cost_px;
    ++items_[*at].computed;
  }
  refile(*at);
}

void Scheduler::handle(const ItemFailed& event) {
  auto* rank = heard_from(event.rank);
  const auto at = ledger_.find(event.item);
  if (rank == nullptr || !at || !rank->remove(*at, now_s_)) {
    return;
  }
  ranks_.queue_changed(*rank);
  auto& item = items_[*at];
  --item.running;
  refile(*at);
  const bool is_alive = item.state == ItemState::waiting || item.state == ItemState::running;
  if (!is_alive) {
    return;  // another copy came further, or the item is settled: this attempt tells nothing
  }
  ++item.failures;
  item.crashes += event.fault == Fault::crashed ? 1 : 0;
  item.failed_on = event.rank;
  const bool is_last = item.failures > settings_.retries || item.crashes >= settings_.max_crashes;
  if (is_final(event.fault) || (is_last && item.state == ItemState::waiting)) {
    quarantine(*at, event.fault, event.detail);
  } else {
    commands_.push_back(RecordFailure{event.item, item.failures, event.fault, event.detail});
  }
}

void Scheduler::handle(const ItemReturned& event) {
  auto* rank = heard_from(event.rank);
  const auto at = ledger_.find(event.item);
  if (rank == nullptr || !at || !rank->remove(*at, now_s_)) {
    return;
  }
  ranks_.queue_changed(*rank);
  rank->gave_back = true;
  --items_[*at].running;
  refile(*at);
}

void Scheduler::handle(const SealAsked& event) {
  auto* rank = heard_from(event.rank);
  if (rank == nullptr) {
    return;
  }
  std::vector<ItemIndex> touched;
  if (!event.rows.empty()) {
    auto wanted = ledger_.promise(event.rank, event.shard, event.rows, now_s_);
    if (!wanted) {
      return;  // asked before, and answered
    }
    commands_.push_back(SealVerdict{event.rank, event.shard, std::move(*wanted)});
    for (const auto& row : event.rows) {
      if (const auto at = ledger_.find(row.item); at && (touched.empty() || touched.back() != *at)) {
        touched.push_back(*at);
      }
    }
  }
  rank->seal_asked_s.reset();
  forget_open(*rank);  // all of it is in shards now, or lost
  refile(touched);
}

void Scheduler::handle(const SealReady& event) {
  heard_from(event.rank);
  switch (ledger_.standing(event.rank, event.shard)) {
    case ShardStanding::promised:
      ledger_.begin_commit(event.rank, event.shard);
      commands_.push_back(CommitShard{event.rank, event.shard});
      break;
    case ShardStanding::unknown:
    case ShardStanding::withdrawn: commands_.push_back(RefuseShard{event.rank, event.shard}); break;
    case ShardStanding::committing:
    case ShardStanding::committed: break;  // said twice
  }
}

void Scheduler::handle(const SealCommitted& event) { refile(ledger_.commit(event.rank, event.shard)); }

void Scheduler::handle(const SealAborted& event) {
  auto* rank = heard_from(event.rank);
  const bool was_open = ledger_.standing(event.rank, event.shard) == ShardStanding::unknown;
  refile(ledger_.withdraw(event.rank, event.shard));
  if (rank != nullptr && was_open) {
    rank->seal_asked_s.reset();
    forget_open(*rank);
  }
}

void Scheduler::handle(const RankLost& event) {
  auto* rank = ranks_.find(event.rank);
  if (rank == nullptr) {
    return;
  }
  for (const auto& key : ledger_.promised_to(event.rank)) {
    refile(ledger_.withdraw(key.rank, key.shard));
  }
  set_hangs(*rank, true);  // takes its copies out of the counts
  const auto at_work = rank->queue.empty() ? std::optional<ItemIndex>{} : rank->queue.front().item;
  ranks_.lose(event.rank);
  // One loss means nothing; an item that was at work each time a rank went down may be the reason.
  if (at_work && ++items_[*at_work].losses >= settings_.max_losses && items_[*at_work].state == ItemState::waiting) {
    quarantine(*at_work, Fault::crashed, "its rank was lost " + std::to_string(settings_.max_losses) + " times");
  }
}

void Scheduler::handle(const Tick&) { find_hanging(); }

void Scheduler::handle(const Drain& event) {
  if (patience_s_ && *patience_s_ <= event.patience_s) {
    return;
  }
  patience_s_ = event.patience_s;
  patience_ends_s_ = now_s_ + event.patience_s;
  for (const auto& [id, rank] : ranks_.all()) {
    commands_.push_back(Recall{id, event.patience_s});
  }
}

// ---- items ----------------------------------------------------------------------------------------------------------

ItemState Scheduler::derive(ItemIndex at) const {
  const auto& item = items_[at];
  if (item.quarantined) {
    return ItemState::quarantined;
  }
  if (ledger_.loose(at) == 0) {
    return ledger_.promised(at) == 0 ? ItemState::committed : ItemState::sealing;
  }
  if (item.computed > 0) {
    return ItemState::computed;
  }
  return item.running > 0 ? ItemState::running : ItemState::waiting;
}

void Scheduler::refile(ItemIndex at) {
  auto& item = items_[at];
  const auto before = std::exchange(item.state, derive(at));
  if (before == item.state) {
    return;
  }
  if (before == ItemState::waiting) {
    waiting_.erase(at);
  } else if (item.state == ItemState::waiting) {
    waiting_.insert(at);
  }
  counts_[static_cast<std::size_t>(before)] -= 1;
  counts_[static_cast<std::size_t>(item.state)] += 1;
  px_[static_cast<std::size_t>(before)] -= ledger_.item(at).cost_px;
  px_[static_cast<std::size_t>(item.state)] += ledger_.item(at).cost_px;
}

void Scheduler::refile(const std::vector<ItemIndex>& items) {
  for (const auto at : items) {
    refile(at);
  }
}

void Scheduler::quarantine(ItemIndex at, Fault fault, std::string detail) {
  items_[at].quarantined = true;
  ledger_.close(at);
  refile(at);
  commands_.push_back(
      Quarantine{ledger_.item(at).item, fault, std::move(detail), std::max<std::uint32_t>(1, items_[at].failures)});
  if (counts_[static_cast<std::size_t>(ItemState::quarantined)] > settings_.max_quarantine) {
    handle(Drain{});
  }
}

/// The open shard of the rank is closed: none of its items counts as computed any more.
void Scheduler::forget_open(Rank& rank) {
  rank.gave_back = false;
  rank.open_px = 0;
  for (const auto at : std::exchange(rank.open, {})) {
    items_[at].computed -= rank.hangs ? 0 : 1;
    refile(at);
  }
}

void Scheduler::count_copies(const Rank& rank, int by) {
  for (const auto& assigned : rank.queue) {
    items_[assigned.item].running = static_cast<std::uint16_t>(items_[assigned.item].running + by);
    refile(assigned.item);
  }
  for (const auto at : rank.open) {
    items_[at].computed = static_cast<std::uint16_t>(items_[at].computed + by);
    refile(at);
  }
}

void Scheduler::set_hangs(Rank& rank, bool hangs) {
  if (rank.hangs != hangs) {
    rank.hangs = hangs;
    count_copies(rank, hangs ? -1 : 1);
    ranks_.standing_changed(rank);
  }
}

/// The rank, if it lives: whoever speaks does not hang.
Rank* Scheduler::heard_from(RankId id) {
  auto* rank = ranks_.find(id);
  if (rank != nullptr && rank->hangs) {
    set_hangs(*rank, false);
    rank->progress_s = now_s_;
  }
  return rank;
}

// ---- the end --------------------------------------------------------------------------------------------------------

bool Scheduler::is_silent(const Rank& rank) const {
  if (rank.queue.empty()) {
    return false;
  }
  const double silent_s = now_s_ - rank.progress_s;
  if (patience_s_ && std::min(silent_s, now_s_ - patience_ends_s_) > settings_.last_patience_s) {
    return true;  // It was asked for its items, and has given none back.
  }
  if (!ranks_.any_speed_known()) {
    return silent_s > settings_.hang_unknown_s;
  }
  const double predicted_s = static_cast<double>(rank.queue.front().px) / rank.speed.px_per_s();
  return silent_s > std::max(settings_.hang_min_s, settings_.hang_factor * predicted_s);
}

void Scheduler::find_hanging() {
  if (space_ == Space::full && !is_ending()) {
    return;  // Their silence is the disk's.
  }
  // What was asked before the disk was full counts anew from when it had room again.
  const bool had_room = !space_back_s_ || now_s_ - *space_back_s_ > settings_.seal_timeout_s;
  auto healthy =
      std::count_if(ranks_.all().begin(), ranks_.all().end(), [](const auto& one) { return !one.second.hangs; });
  for (const auto& key : ledger_.promised_before(now_s_ - settings_.seal_timeout_s)) {
    const auto* const rank = ranks_.find(key.rank);
    const bool is_anyone_else_well = healthy > (rank != nullptr && !rank->hangs ? 1 : 0);
    if (had_room && (is_anyone_else_well || patience_s_)) {  // else nobody is there to make its items
      refile(ledger_.withdraw(key.rank, key.shard));
    }
  }
  for (auto& [id, rank] : ranks_.all()) {
    if (rank.hangs || (healthy < 2 && !patience_s_)) {
      continue;  // with nobody else to do its work, a rank is waited for
    }
    const bool is_late_to_seal =
        had_room && rank.seal_asked_s && now_s_ - *rank.seal_asked_s > settings_.seal_timeout_s;
    if (is_late_to_seal || is_silent(rank)) {
      set_hangs(rank, true);
      --healthy;
    }
  }
}

/// At a drain also rows of items that came back half made: their blocks are not made again.
bool Scheduler::has_rows_to_seal(const Rank& rank) const {
  return !rank.open.empty() || (is_ending() && rank.gave_back);
}

void Scheduler::ask_seals() {
  if (dispatches()) {
    return;
  }
  for (auto& [id, rank] : ranks_.all()) {
    const bool is_done = rank.queue.empty() || (is_ending() && space_ == Space::full);
    if (!rank.hangs && is_done && has_rows_to_seal(rank) && !rank.seal_asked_s) {
      rank.seal_asked_s = now_s_;
      commands_.push_back(AskSeal{id});
    }
  }
}

void Scheduler::conclude() {
  const auto count = [&](ItemState state) { return counts_[static_cast<std::size_t>(state)]; };
  const bool computed = count(ItemState::computed) + count(ItemState::sealing) > 0;
  const bool in_flight = count(ItemState::running) > 0 || computed;
  const bool seals = ledger_.unsettled_shards() > 0 ||
                     std::any_of(ranks_.all().begin(), ranks_.all().end(),
                                 [&](const auto& one) { return !one.second.hangs && has_rows_to_seal(one.second); });
  const bool all_settled = !in_flight && count(ItemState::waiting) == 0;
  const bool all_told = ranks_joined_ > 0 && ranks_joined_ >= settings_.expected_ranks;
  const bool nobody_left = all_told && ranks_.all().empty() && ledger_.unsettled_shards() == 0;
  std::optional<Outcome> outcome;
  if (count(ItemState::quarantined) > settings_.max_quarantine && !in_flight) {
    outcome = Outcome::too_many_quarantined;
  } else if (all_settled) {
    outcome = Outcome::complete;
  } else if (nobody_left) {
    outcome = Outcome::out_of_ranks;  // A drain whose last shards went down with their ranks has not ended in order.
  } else if (is_ending() && !(space_ == Space::full ? computed : in_flight) && !seals) {
    outcome = Outcome::drained;
  }
  if (!outcome) {
    return;
  }
  finished_ = true;
  for (const auto& [id, rank] : ranks_.all()) {
    commands_.push_back(Dismiss{id});
  }
  commands_.push_back(Finished{*outcome});
}

}  // namespace pantile
