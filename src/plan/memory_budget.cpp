#include "plan/memory_budget.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace pantile {
namespace {

constexpr std::uint64_t steps = 64;
/// What was grown shall last so many times the wait for it.
constexpr double worth_it_for = 6;

std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

}  // namespace

std::uint64_t MemoryBudget::room_in(const MemorySeen& seen) const noexcept {
  const auto workers = static_cast<std::uint64_t>(std::max(1, terms_.workers));
  const std::uint64_t ours_to_use = less(seen.limit_bytes, terms_.leave_bytes);
  if (seen.used_by_workers_bytes || workers == 1) {
    const std::uint64_t known = seen.used_by_workers_bytes.value_or(seen.used_by_us_bytes);
    return less(ours_to_use, less(seen.used_bytes, known)) / workers;
  }
  if (ours_to_use >= seen.used_bytes) {
    return seen.used_by_us_bytes + (ours_to_use - seen.used_bytes) / workers;
  }
  // Too much is in use: each gives up its share of that, and who has too little for it leaves the rest to the next
  // look.
  return less(seen.used_by_us_bytes, (seen.used_bytes - ours_to_use + workers - 1) / workers);
}

std::uint64_t MemoryBudget::allowed(std::uint64_t room) const noexcept {
  const std::uint64_t cap = terms_.cap_bytes;
  if (room >= cap) {
    return cap;
  }
  const std::uint64_t step = std::max<std::uint64_t>(1, cap / steps);
  return std::max(room / step * step, std::min(terms_.floor_bytes, cap));
}

void MemoryBudget::keep(Room room) {
  while (!low_.empty() && low_.back().bytes >= room.bytes) {
    low_.pop_back();
  }
  low_.push_back(room);
  while (low_.front().time_s < room.time_s - wait_s_) {
    low_.pop_front();
  }
}

std::uint64_t MemoryBudget::look(const MemorySeen& seen) {
  expect(!seen_ || seen.time_s >= seen_->time_s, "time does not go back");
  if (!seen_ || seen.time_s - seen_->time_s > wait_s_) {
    since_s_ = seen.time_s;  // while nobody looked nobody knows
  }
  seen_ = seen;
  const std::uint64_t room = room_in(seen);
  others_ = less(seen.used_bytes, seen.used_by_workers_bytes.value_or(seen.used_by_us_bytes));
  keep({seen.time_s, room});

  if (const std::uint64_t now = allowed(room); now < in_force_) {
    // Grown too early: the neighbour comes back in turns, and each turn costs a plan. Wait longer the next time.
    if (const auto grew_s = std::exchange(grew_s_, std::nullopt)) {
      wait_s_ = seen.time_s - *grew_s < worth_it_for * wait_s_ ? std::min(2 * wait_s_, quiet_most_s) : quiet_s;
    }
    in_force_ = now;
    since_s_ = seen.time_s;
    return in_force_;
  }
  const std::uint64_t then = allowed(low_.front().bytes);
  const bool worth_it =
      then == terms_.cap_bytes || static_cast<double>(then) >= (1 + worth_having) * static_cast<double>(in_force_);
  if (then > in_force_ && worth_it && seen.time_s - since_s_ >= wait_s_) {
    in_force_ = then;
    grew_s_ = since_s_ = seen.time_s;
  }
  return in_force_;
}

void MemoryBudget::set_terms(const MemoryTerms& terms) {
  terms_ = terms;
  in_force_ = allowed(seen_ ? room_in(*seen_) : terms.cap_bytes);
  low_.clear();  // what was room under other terms
  if (seen_) {
    keep({seen_->time_s, room_in(*seen_)});
    since_s_ = seen_->time_s;
  }
}

std::uint64_t MemoryBudget::missing_bytes() const noexcept {
  return seen_ ? less(std::min(terms_.floor_bytes, terms_.cap_bytes), room_in(*seen_)) : 0;
}

}  // namespace pantile
