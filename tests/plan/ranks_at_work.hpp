#pragma once
// Ranks of a known speed with work in hand, for the tests of what is predicted of them.

#include <cstdint>

#include "plan/rank_pool.hpp"

namespace pantile {

/// Adds rank `id`, which has shown `px_per_s`.
inline Rank& joined(RankPool& pool, int id, double px_per_s) {
  auto& rank = pool.join(RankId{id});
  pool.learn(rank, static_cast<std::uint64_t>(px_per_s * 100), 100);
  pool.standing_changed(rank);
  return rank;
}

/// A unit of one item.
inline void give(RankPool& pool, Rank& rank, std::uint32_t item, std::uint64_t px, double now_s) {
  const Rank::Assigned assigned{.item = item, .px = px};
  rank.assign({&assigned, 1}, now_s);
  pool.queue_changed(rank);
}

}  // namespace pantile
