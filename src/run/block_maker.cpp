#include "run/block_maker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"

namespace pantile {
namespace {

/// Loading a large model from slow storage takes its time; once that is known, it should not take much longer, but on a
/// machine that has become busy.
constexpr double longest_opening_s = 1800;
constexpr double least_patience_s = 60;
constexpr double slower_opening = 4;
/// For an executor that is in the middle of something when the run ends.
constexpr double last_patience_s = 1;
/// Before the second executor in a row that did nothing, doubled for each further one.
constexpr double first_pause_s = 0.5;
constexpr double longest_pause_s = 8;
constexpr int most_heard = 256;

std::string what_ended_it(const ExecutorDeath& death, double patience_s) {
  switch (death.cause) {
    case DeathCause::hung:
      return fmt::format("nothing moved for {:.0f} s while the executor worked on this image alone", patience_s);
    case DeathCause::out_of_memory:
      return "the executor was ended for lack of memory while it worked on this image alone";
    case DeathCause::killed:
      return fmt::format("the executor was killed ({}) each time that it worked on this image alone", death.how);
    case DeathCause::crashed: break;
  }
  const std::string words = death.words.empty() ? "" : fmt::format("; its last words: {}", death.words.back());
  return fmt::format("the executor died ({}) while it worked on this image alone{}", death.how, words);
}

}  // namespace

BlockMaker::BlockMaker(std::unique_ptr<ExecutorHost> host, Open open, double patience_s, Certify certify, double now_s)
    : host_{std::move(host)},
      open_{std::move(open)},
      patience_s_{patience_s},
      certify_{std::move(certify)},
      phase_since_s_{now_s} {
  host_->send(open_);
}

void BlockMaker::start_lanes(std::int32_t lanes, const DeviceUse& use, std::uint64_t cap_bytes, double now_s) {
  lanes_ = lanes;
  use_ = use;
  open_.cap_bytes = cap_bytes;
  opening_took_s_ = now_s - phase_since_s_;
  start_lanes(now_s);
}

void BlockMaker::change_use(const DeviceUse& use, std::uint64_t cap_bytes) {
  use_ = use;
  open_.cap_bytes = cap_bytes;
  if (!open_.check_tile.empty()) {
    check_tiles();
  }
  if (phase_ == Phase::open) {
    host_->send(ChangeUse{use_});
  }
}

/// None where the largest tile has no limit: nobody has planned it.
void BlockMaker::check_tiles() {
  constexpr int any = std::numeric_limits<int>::max();
  open_.check_tile = use_.tile.height == any ? Extent{} : use_.tile;
  open_.check_lanes = use_.lanes;
}

void BlockMaker::start_lanes(double now_s) {
  phase_ = Phase::open;
  host_->send(StartLanes{lanes_, use_});
  give(now_s);
}

void BlockMaker::make(RunBlock run, bool alone, double now_s) {
  in_flight_.add(run.ticket, run.key.item, alone);
  const InFlight::Ticket ticket = run.ticket;
  orders_.emplace(ticket, std::move(run));
  give(now_s);
}

void BlockMaker::give(double now_s) {
  while (phase_ == Phase::open) {
    const std::optional<InFlight::Ticket> ticket = in_flight_.give(now_s);
    if (!ticket) {
      break;
    }
    RunBlock run = orders_.at(*ticket);
    run.made = in_flight_.tiles_made(*ticket);
    host_->send(run);
  }
}

void BlockMaker::cancel(ItemId item) {
  CancelBlocks message;
  for (const InFlight::Ticket ticket : in_flight_.tickets_of(item)) {
    if (!in_flight_.is_given(ticket)) {
      fail(ticket, {Fault::none, "cancelled"});
    } else if (cancelled_.insert(ticket).second) {
      message.tickets.push_back(ticket);
    }
  }
  if (!message.tickets.empty()) {
    host_->send(message);
  }
}

std::optional<BlockMaker::News> BlockMaker::poll(double now_s) {
  if (!news_.empty()) {
    News news = std::move(news_.front());
    news_.pop_front();
    return news;
  }
  if (phase_ == Phase::pausing) {
    if (now_s - phase_since_s_ >= pause_s_ && !left_off_s_) {
      restart(now_s);
    }
    return std::nullopt;
  }
  // Not for ever: an executor that talks as fast as we listen must not keep the worker from all else.
  for (; heard_ < most_heard; ++heard_) {
    std::optional<FromExecutor> message = host_->receive();
    if (!message) {
      break;
    }
    if (std::optional<News> news = sift(std::move(*message), now_s)) {
      ++heard_;
      return news;
    }
  }
  heard_ = 0;
  if (const std::optional<ExecutorDeath> death = host_->ended()) {
    bury(*death, now_s);
  } else {
    look_for_hang(now_s);
    wait_no_longer(now_s);
  }
  return std::nullopt;
}

void BlockMaker::restart(double now_s) {
  phase_ = Phase::opening;
  phase_since_s_ = now_s;
  try {
    host_->restart();
    host_->send(open_);
  } catch (const Error& error) {
    bury({.cause = DeathCause::killed, .how = error.what(), .pid = 0, .oom_kills = 0, .words = {}}, now_s);
  }
}

bool BlockMaker::makes_sense(const FromExecutor& message) const {
  if (const auto* const begins = std::get_if<BlockBegins>(&message)) {
    return in_flight_.has(begins->ticket);
  }
  if (const auto* const tile = std::get_if<TileIsMade>(&message)) {
    const auto order = orders_.find(tile->ticket);  // It may be answered already.
    return order == orders_.end() || tile->tile < order->second.rect.area();
  }
  if (const auto* const done = std::get_if<BlockIsDone>(&message)) {
    return in_flight_.has(done->ticket);
  }
  if (const auto* const failed = std::get_if<BlockHasFailed>(&message)) {
    return in_flight_.has(failed->ticket);
  }
  return std::holds_alternative<Opened>(message) ? phase_ == Phase::opening
                                                 : !std::holds_alternative<TilesTimed>(message);
}

std::optional<BlockMaker::News> BlockMaker::sift(FromExecutor message, double now_s) {
  if (!makes_sense(message)) {
    if (failure_.empty()) {
      failure_ = "ended for answers to what it was not asked";
      expect(host_->process().has_value(), "an executor of this process answers what it was asked");
      host_->kill(DeathCause::crashed);
    }
    return std::nullopt;
  }
  if (auto* const opened = std::get_if<Opened>(&message)) {
    const std::uint64_t before = std::exchange(standing_bytes_, std::max(standing_bytes_, opened->standing_bytes));
    if (lanes_ == 0) {
      open_.known = {opened->calibration};  // Those that come after it need not probe.
      return std::move(*opened);
    }
    log::info("a new executor has taken over");
    // It may take more than those before it did.
    use_.engine_bytes -= std::min(standing_bytes_ - before, use_.engine_bytes / 2);
    start_lanes(now_s);
    return std::nullopt;
  }
  if (const auto* const begins = std::get_if<BlockBegins>(&message)) {
    in_flight_.begins(begins->ticket, now_s);
    return std::nullopt;
  }
  if (const auto* const tile = std::get_if<TileIsMade>(&message)) {
    in_flight_.made(tile->ticket, tile->tile, now_s);
    return std::nullopt;
  }
  const auto answered = [&](InFlight::Ticket ticket) {
    in_flight_.answered(ticket, now_s);
    cancelled_.erase(ticket);
    orders_.erase(ticket);
    give(now_s);
  };
  if (auto* const done = std::get_if<BlockIsDone>(&message)) {
    answered(done->ticket);
    return std::move(*done);
  }
  if (auto* const failed = std::get_if<BlockHasFailed>(&message)) {
    answered(failed->ticket);
    return std::move(*failed);
  }
  if (auto* const span = std::get_if<DecodeSpan>(&message)) {
    return *span;
  }
  if (auto* const beat = std::get_if<ExecutorBeat>(&message)) {
    return *beat;
  }
  if (auto* const failed = std::get_if<OpenFailed>(&message)) {
    if (lanes_ == 0 || !failed->again || !host_->kill(DeathCause::crashed)) {
      return std::move(*failed);
    }
    failure_ = std::move(failed->text);
    return std::nullopt;
  }
  return std::nullopt;
}

/// The blocks that nobody is to blame for are given to the next executor, with the tiles that they have.
void BlockMaker::bury(ExecutorDeath death, double now_s) {
  const InFlight::Verdict verdict = in_flight_.died(death.cause);
  if (!failure_.empty()) {
    death.how = std::exchange(failure_, {});
  }
  const bool is_ours = left_off_s_ && death.cause == DeathCause::killed;
  if (!is_ours) {
    certify_(death, verdict.begun);
  }
  if (verdict.retire && !left_off_s_) {
    throw Error{
        fmt::format("the executor died {} times in a row ({}) with no image to blame: this device is given up. "
                    "Its last words are in the log above; `pantile doctor` tests the machine.",
                    verdict.deaths, death.how)};
  }
  if (verdict.guilty && !is_ours) {
    const Fault fault = verdict.is_final ? Fault::killed : Fault::crashed;
    for (const InFlight::Ticket ticket : in_flight_.tickets_of(*verdict.guilty)) {
      cancelled_.erase(ticket);
      fail(ticket, {fault, what_ended_it(death, patience_s_)});
    }
  }
  for (const InFlight::Ticket ticket : std::exchange(cancelled_, {})) {
    fail(ticket, {Fault::none, "cancelled"});
  }
  pause_s_ = verdict.deaths < 2 ? 0 : std::min(longest_pause_s, first_pause_s * (1U << (verdict.deaths - 2)));
  open_.check_tile = {};
  if (death.cause != DeathCause::killed) {
    check_tiles();
  }
  phase_ = Phase::pausing;
  phase_since_s_ = now_s;
}

void BlockMaker::fail(InFlight::Ticket ticket, Failure failure) {
  in_flight_.drop(ticket);
  orders_.erase(ticket);
  news_.emplace_back(BlockHasFailed{ticket, failure.fault, std::move(failure.detail)});
}

void BlockMaker::look_for_hang(double now_s) {
  if (now_s < next_look_s_) {
    return;
  }
  constexpr double longest_loop_s = 2;
  if (next_look_s_ > 0 && now_s - next_look_s_ > longest_loop_s) {
    in_flight_.stood_still(now_s - next_look_s_);
    phase_since_s_ += now_s - next_look_s_;
  }
  next_look_s_ = now_s + 0.2;
  const double again_s = std::max(least_patience_s, slower_opening * opening_took_s_);
  const double opening_s = std::max(patience_s_, lanes_ == 0 ? longest_opening_s : again_s);
  const bool hangs = phase_ == Phase::open ? in_flight_.hangs(now_s, patience_s_) : now_s - phase_since_s_ > opening_s;
  if (hangs && host_->kill(DeathCause::hung)) {
    log::warn("nothing moves in the executor for {:.0f} s: it is ended, and another one started",
              phase_ == Phase::open ? patience_s_ : opening_s);
  }
}

void BlockMaker::wait_no_longer(double now_s) {
  if (left_off_s_ && now_s - *left_off_s_ > last_patience_s && in_flight_.given() > 0 &&
      host_->kill(DeathCause::killed)) {
    log::debug("the executor is in the middle of something that lasts: it is ended");
  }
}

}  // namespace pantile
