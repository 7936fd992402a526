#include "plan/in_flight.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace pantile {

void InFlight::add(Ticket ticket, ItemId item, bool alone) {
  expect(blocks_.empty() || ticket > blocks_.rbegin()->first, "tickets grow");
  blocks_.emplace(ticket, Block{.item = item});
  if (alone) {
    alone_.insert(item);
  }
}

std::optional<InFlight::Ticket> InFlight::give(double now_s) {
  const auto next = blocks_.lower_bound(next_);
  if (next == blocks_.end()) {
    return std::nullopt;
  }
  if (given_ > 0) {
    // Blocks of an item follow each other: if the first is of another item, so is the company.
    const ItemId first = blocks_.begin()->second.item;
    const ItemId item = next->second.item;
    if (first != item && (alone_.contains(first) || alone_.contains(item))) {
      return std::nullopt;
    }
  }
  next_ = next->first + 1;
  news_s_ = given_ == 0 ? now_s : news_s_;
  ++given_;
  return next->first;
}

void InFlight::begins(Ticket ticket, double now_s) {
  blocks_.at(ticket).progress_s = now_s;
  news_s_ = now_s;
}

void InFlight::made(Ticket ticket, std::uint32_t tile, double now_s) {
  const auto found = blocks_.find(ticket);
  if (found == blocks_.end()) {
    return;  // Another lane has ended the block before this one could tell.
  }
  Block& block = found->second;
  if (std::find(block.made.begin(), block.made.end(), tile) != block.made.end()) {
    return;
  }
  block.made.push_back(tile);
  block.progress_s = now_s;
  news_s_ = now_s;
  has_progress_ = true;
}

void InFlight::answered(Ticket ticket, double now_s) {
  first_since_s_ = ticket == blocks_.begin()->first ? now_s : first_since_s_;
  drop(ticket);
  news_s_ = now_s;
  has_progress_ = true;
}

void InFlight::drop(Ticket ticket) {
  given_ -= is_given(ticket) ? 1 : 0;
  const bool is_known = blocks_.erase(ticket) == 1;
  expect(is_known, "a block is answered once");
}

void InFlight::settled(ItemId item) {
  killed_alone_.erase(item);
  alone_.erase(item);
}

bool InFlight::hangs(double now_s, double patience_s) const {
  if (given_ > 0 && now_s - news_s_ > patience_s) {
    return true;
  }
  const auto first =
      std::find_if(blocks_.begin(), blocks_.end(), [](const auto& one) { return one.second.progress_s.has_value(); });
  // Blocks of one image begin together and are worked on one after another: the first one's time counts from when it
  // became the first.
  return first != blocks_.end() && now_s - std::max(*first->second.progress_s, first_since_s_) > patience_s;
}

InFlight::Verdict InFlight::died(DeathCause cause) {
  Verdict verdict{.begun = begun_items()};
  for (auto& [ticket, block] : blocks_) {
    block.progress_s.reset();
  }
  given_ = 0;
  next_ = 0;
  const bool had_progress = std::exchange(has_progress_, false);
  const bool is_own_doing = cause != DeathCause::killed;
  if (verdict.begun.size() == 1) {
    const ItemId item = verdict.begun.front().item;
    std::uint32_t& killed = killed_alone_[item];
    killed = had_progress ? 1 : killed + 1;
    if (is_own_doing || killed >= settings_.killed_alone) {
      verdict.guilty = item;
      verdict.is_final = !is_own_doing;
      deaths_ = 0;
    }
    return verdict;
  }
  deaths_ = had_progress ? 1 : deaths_ + 1;
  verdict.deaths = deaths_;
  verdict.retire = deaths_ >= settings_.deaths;
  if (is_own_doing || !had_progress) {
    for (const Begun& begun : verdict.begun) {
      alone_.insert(begun.item);
    }
  }
  return verdict;
}

void InFlight::stood_still(double seconds) {
  news_s_ += seconds;
  first_since_s_ += seconds;
  for (auto& [ticket, block] : blocks_) {
    block.progress_s = block.progress_s ? std::optional{*block.progress_s + seconds} : std::nullopt;
  }
}

std::vector<InFlight::Ticket> InFlight::tickets_of(ItemId item) const {
  std::vector<Ticket> tickets;
  for (const auto& [ticket, block] : blocks_) {
    if (block.item == item) {
      tickets.push_back(ticket);
    }
  }
  return tickets;
}

std::vector<InFlight::Begun> InFlight::begun_items() const {
  std::vector<Begun> items;
  for (const auto& [ticket, block] : blocks_) {
    if (!block.progress_s) {
      continue;
    }
    if (items.empty() || items.back().item != block.item) {
      items.push_back({block.item});
    }
    items.back().tiles_made += block.made.size();
  }
  return items;
}

}  // namespace pantile
