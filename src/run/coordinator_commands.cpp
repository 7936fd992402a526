// What the coordinator does at the scheduler's word.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/log.hpp"
#include "run/coordinator.hpp"
#include "run/deadline.hpp"
#include "run/job_messages.hpp"

namespace pantile {

void Coordinator::handle(const Event& event) {
  for (Command& command : scheduler_.on(event, now_s())) {
    std::visit([this](auto& told) { carry_out(told); }, command);
  }
}

void Coordinator::carry_out(Assign& assign) {
  for (const UnitItem& item : assign.unit.items) {
    space_.handed_out(item.item);
  }
  AssignUnit unit = assignment(job_, std::move(assign.unit));
  unit.seal_after_ms = seal_after().count();
  say(assign.rank, std::move(unit));
}

void Coordinator::carry_out(Recall& recall) { say(recall.rank, GiveBack{std::llround(1000 * recall.patience_s)}); }
void Coordinator::carry_out(AskSeal& ask) { say(ask.rank, SealPlease{}); }
void Coordinator::carry_out(SealVerdict& verdict) {
  say(verdict.rank, SealAnswer{verdict.shard, std::vector<std::uint8_t>(verdict.wanted.begin(), verdict.wanted.end())});
}
void Coordinator::carry_out(CommitShard& commit) { to_commit_.emplace_back(commit.rank, commit.shard); }
void Coordinator::carry_out(RefuseShard& refuse) {
  log::warn("rank {} was given up on before its shard was sealed: what the shard has is made again",
            index(refuse.rank));
  sealed_.erase({refuse.rank, refuse.shard});
  say(refuse.rank, DeleteShard{refuse.shard});
}
void Coordinator::carry_out(TimeIsUp& told) {
  view_.state().state = RunState::draining;
  tell_time_is_up(told, job_.catalog);
}

void Coordinator::carry_out(RecordFailure& record) {
  log::warn("{}: attempt {} failed: {}; it will be tried again", job_.catalog.path(record.item), record.attempt,
            record.detail);
  job_.journal.append(AttemptFailed{record.item, record.attempt, {record.fault, record.detail}}, job_.state);
}

void Coordinator::carry_out(Quarantine& quarantine) {
  log::warn("{} is in quarantine: {}", job_.catalog.path(quarantine.item), quarantine.detail);
  job_.journal.append(ItemQuarantined{quarantine.item, quarantine.attempts, {quarantine.fault, quarantine.detail}},
                      job_.state);
}

/// The commit point: one fdatasync for all shards that are ready, and only then the scheduler hears of it.
void Coordinator::commit_shards() {
  if (to_commit_.empty() && !job_.journal.pending()) {
    return;
  }
  for (const auto& shard : to_commit_) {
    job_.journal.append(sealed_.at(shard), job_.state);
  }
  job_.journal.commit();
  if (!to_commit_.empty()) {
    space_.committed();
  }
  for (const auto& [rank, shard] : std::exchange(to_commit_, {})) {
    sealed_.erase({rank, shard});
    handle(SealCommitted{rank, shard});
  }
}

/// The configured age, else a 200th of the predicted run, within one minute and a quarter of an hour.
std::chrono::milliseconds Coordinator::seal_after() const {
  if (job_.config.output.seal_after) {
    return *job_.config.output.seal_after;
  }
  const double predicted_s = view_.state().eta_s.value_or(0) + now_s();
  return std::chrono::milliseconds{static_cast<std::int64_t>(1000 * std::clamp(predicted_s / 200, 60.0, 900.0))};
}

}  // namespace pantile
