#pragma once
// What a seed draws: the items and what ails them, the machine, and in each life of the run what goes wrong, and when.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "image/block_grid.hpp"
#include "sim/sim_executor.hpp"

namespace pantile::sim {

enum class Mishap : std::uint8_t {
  kill_executor,
  kill_worker,
  kill_coordinator,
  kill_all,
  power_loss,
  stop_worker,  ///< SIGSTOP, for a while
  disk_full,    ///< for a while
  disk_error,   ///< EIO at one call of one process
  drain,        ///< somebody asks the run to stop
  set_cap       ///< somebody moves the memory cap, down to where nothing fits
};
inline constexpr std::size_t mishap_count = 10;

struct Blow {
  Mishap mishap{};
  double at_s = 0;                    ///< since the life began
  int rank = 0;                       ///< whom it meets; 0: the coordinator
  double for_s = 0;                   ///< how long it lasts
  std::optional<std::uint64_t> call;  ///< of a death: not at once, but before this disk call of the rank from then on
};

/// From a start of the run to its end, or to the death of its coordinator.
struct LifePlan {
  int workers = 8;
  std::vector<Blow> blows;
  bool mpi_ends_all = true;  ///< soon after the death of a rank; else the others learn nothing of it
  double zombies_s = 0;      ///< how long workers outlive their coordinator
};

struct Scenario {
  std::uint64_t seed = 1;
  std::vector<Extent> extents{};
  std::map<ItemId, Ailment> ailments{};
  std::map<ItemId, std::uint32_t> ailing_block{};  ///< which block of the item shows it
  std::set<ItemId> unreadable{};                   ///< by their headers
  std::vector<double> px_per_s{};                  ///< of each rank
  double latency_s = 0.001;                        ///< mean of a message
  double doubled = 0;                              ///< probability that a message to the coordinator comes twice
  int lanes = 1;
  std::uint64_t shard_size = 1;  ///< bytes of what stands for pixels
  double seal_after_s = 5;
  double hang_after_s = 10;
  double wait_for_space_s = 600;
  ScheduleConfig::Policy policy = ScheduleConfig::Policy::resolution;
  std::vector<LifePlan> lives{};  ///< the last one is left in peace
  Extent runs_out{};              ///< not empty: the input of a tile for which rank 1 finds no memory, once

  [[nodiscard]] bool is_poison(ItemId item) const {
    const auto found = ailments.find(item);
    return unreadable.contains(item) || (found != ailments.end() && found->second != Ailment::flaky);
  }
  [[nodiscard]] bool is_flawless(ItemId item) const { return !unreadable.contains(item) && !ailments.contains(item); }
};

inline constexpr std::uint64_t sim_items = 200;
inline constexpr int most_workers = 8;

inline LifePlan draw_life(Chance& chance, int mishaps) {
  LifePlan life;
  life.workers = chance.happens(0.6) ? most_workers : 1 + static_cast<int>(chance.below(most_workers));
  life.mpi_ends_all = chance.happens(0.7);
  life.zombies_s = chance.happens(0.3) ? chance.between(0, 20) : chance.between(0, 0.5);
  for (int i = 0; i < mishaps; ++i) {
    Blow blow;
    blow.mishap = static_cast<Mishap>(chance.below(mishap_count));
    blow.at_s = chance.happens(0.1) ? 0 : chance.between(0, 25);
    blow.rank = blow.mishap == Mishap::kill_coordinator ? 0 : 1 + static_cast<int>(chance.below(life.workers));
    if (blow.mishap == Mishap::disk_error || blow.mishap == Mishap::power_loss) {
      blow.rank = chance.happens(0.5) ? 0 : blow.rank;
    }
    blow.for_s = chance.happens(0.5) ? chance.between(0.5, 10) : chance.between(10, 120);
    if (blow.mishap == Mishap::stop_worker && chance.happens(0.4)) {
      // Until after others have been asked to do its work: in vain, or just before they have.
      blow.for_s = chance.happens(0.5) ? 5000 : chance.between(30, 340);
    }
    if (chance.happens(0.6) || blow.mishap == Mishap::disk_error) {
      blow.call = chance.below(60);
    }
    life.blows.push_back(blow);
  }
  return life;
}

inline Scenario draw_scenario(std::uint64_t seed) {
  Chance chance{mix(seed + 1)};
  Scenario scenario{.seed = seed};
  for (std::uint64_t i = 0; i < sim_items; ++i) {
    const double px = 1000 * std::exp(0.8 * std::normal_distribution<double>{}(chance.source()));
    auto width = static_cast<int>(std::clamp(px, 100.0, 9000.0));
    width += width % block_side_px < 64 ? 64 : 0;  // the last block has room for its words
    scenario.extents.push_back({1, width});
  }
  const int ailing = chance.happens(0.5) ? static_cast<int>(chance.below(8)) : 0;
  for (int i = 0; i < ailing; ++i) {
    const ItemId item{chance.below(sim_items)};
    const auto blocks = BlockGrid{scenario.extents[index(item)]}.size();
    scenario.ailments[item] = static_cast<Ailment>(1 + chance.below(6));
    scenario.ailing_block[item] = static_cast<std::uint32_t>(chance.below(blocks));
  }
  for (std::uint64_t i = chance.happens(0.3) ? chance.below(3) : 0; i > 0; --i) {
    scenario.unreadable.insert(ItemId{chance.below(sim_items)});
  }
  for (int rank = 0; rank <= most_workers; ++rank) {
    scenario.px_per_s.push_back(chance.happens(0.2) ? chance.between(400, 1000) : chance.between(1500, 4000));
  }
  scenario.latency_s = chance.happens(0.5) ? 0.001 : chance.between(0.01, 0.1);
  scenario.doubled = chance.happens(0.3) ? 0.05 : 0;
  scenario.lanes = 1 + static_cast<int>(chance.below(3));
  scenario.shard_size = block_bytes * (2 + chance.below(20));
  scenario.seal_after_s = chance.between(0.5, 8);
  scenario.hang_after_s = chance.between(6, 15);
  scenario.wait_for_space_s = chance.happens(0.3) ? chance.between(0, 10) : 600;
  scenario.policy =
      chance.happens(0.7) ? ScheduleConfig::Policy::resolution : static_cast<ScheduleConfig::Policy>(chance.below(3));
  const std::uint64_t troubled = chance.happens(0.1) ? 0 : 1 + chance.below(4);
  for (std::uint64_t i = 0; i < troubled; ++i) {
    scenario.lives.push_back(draw_life(chance, 1 + static_cast<int>(chance.below(4))));
  }
  scenario.lives.push_back({.workers = 1 + static_cast<int>(chance.below(most_workers)), .blows = {}});
  return scenario;
}

}  // namespace pantile::sim
