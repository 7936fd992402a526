// What the oracle is told of a simulated cluster, and what is looked at beside the disk.

#include "sim/cluster.hpp"

namespace pantile::sim {

Ailment Cluster::ailment_of(const BlockKey& key) {
  const auto found = scenario_.ailments.find(key.item);
  if (found == scenario_.ailments.end() || scenario_.ailing_block.at(key.item) != index(key.block)) {
    return Ailment::none;
  }
  if (found->second == Ailment::flaky && !has_been_flaky_.insert(key.item).second) {
    return Ailment::none;
  }
  return found->second;
}

void Cluster::made(std::size_t life_at, int rank, const BlockKey& key) {
  Life& life = *lives_[life_at];
  ++report_.made;
  tell("rank {} has made block {} of item {}", rank, index(key.block), index(key.item));
  ever_made_.insert(key);
  life.made.push_back({key, rank, time_.now_s()});
  if (life.committed_before.contains(key)) {
    oracle_.complain(fmt::format("block {} of item {} is made again, and was committed before this life began",
                                 index(key.block), index(key.item)));
  }
}

void Cluster::check_work(const Life& life) {
  check_pace(life);
  const bool hangs = std::any_of(scenario_.ailments.begin(), scenario_.ailments.end(),
                                 [](const auto& one) { return one.second == Ailment::hanging; });
  // A doubled SealRequest says that the open shard is closed: what is in it by then is made again.
  if (life.is_troubled || hangs || scenario_.doubled > 0) {
    return;
  }
  const double window_s = scenario_.seal_after_s + 3 + 40 * scenario_.latency_s;
  std::set<BlockKey> made;
  for (const Made& one : life.made) {
    if (!scenario_.is_flawless(one.key.item)) {
      continue;
    }
    const auto name = [&] { return fmt::format("block {} of item {}", index(one.key.block), index(one.key.item)); };
    if (!made.insert(one.key).second) {
      oracle_.complain(name() + " is made twice in a life without a reason for it");
    }
    const Rank& rank = *life.ranks[static_cast<std::size_t>(one.rank)];
    const double end_s = rank.is_gone ? std::min(rank.gone_s, life.ended_s) : life.ended_s;
    if (one.at_s < end_s - window_s && !oracle_.committed().contains(one.key)) {
      oracle_.complain(
          fmt::format("{} was made {:.1f} s before the end and is not committed", name(), end_s - one.at_s));
    }
  }
}

void Cluster::check_pace(const Life& life) {
  double px = 0;
  for (const Extent extent : scenario_.extents) {
    px += static_cast<double>(extent.area());
  }
  double px_per_s = 0;
  for (const auto& rank : life.ranks) {
    const bool works = rank->number > 0 && !rank->has_given_up && (!rank->is_gone || rank->gone_s >= life.ended_s);
    px_per_s += works ? scenario_.px_per_s[static_cast<std::size_t>(rank->number)] : 0;
  }
  const double ailing_s = 10 * scenario_.hang_after_s * static_cast<double>(scenario_.ailments.size());
  const double longest_s = 60 + 3 * px / std::max(px_per_s, 1.0) + ailing_s;
  const bool is_levelled = scenario_.policy == ScheduleConfig::Policy::resolution;
  if (is_levelled && life.code && !life.may_wait && px_per_s > 0 && life.ended_s - life.began_s > longest_s) {
    oracle_.complain(
        fmt::format("a life took {:.0f} s, and its work at most {:.0f} s", life.ended_s - life.began_s, longest_s));
  }
}

void Cluster::check_the_end() {
  if (!is_complete_) {
    oracle_.complain("the last life was left in peace, and has not completed the run");
    return;
  }
  lose_power();
  power_is_out_ = false;
  disk_.lose_power();
  oracle_.look_at_the_end();
  for (std::uint64_t i = 0; i < sim_items; ++i) {
    const ItemId item{i};
    for (std::uint32_t block = 0; block < BlockGrid{scenario_.extents[i]}.size(); ++block) {
      if (!scenario_.is_poison(item) && !oracle_.committed().contains({item, OutputId{0}, BlockId{block}})) {
        oracle_.complain(fmt::format("item {} is good, and not done", i));
      }
    }
  }
}

}  // namespace pantile::sim
