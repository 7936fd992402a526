// Time and messages of a simulated cluster.

#include "sim/cluster.hpp"

namespace pantile::sim {

void Cluster::tick(Rank& rank) {
  if (rank.process.is_dead || rank.is_gone || (rank.number == 0 && rank.life.is_over)) {
    return;
  }
  if (rank.store != nullptr) {
    guarded(rank, [&] { rank.store->tick(); });
  }
  step(rank);
  time_.after(time_.now_s() - rank.life.began_s < 60 ? 0.25 : 1, [this, &rank] { tick(rank); });
}

void Cluster::wake(Rank& rank) {
  if (!rank.is_planned) {
    rank.is_planned = true;
    time_.after(chance_.exponential(rank.number == 0 ? 0.004 : 0.001), [this, &rank] { step(rank); });
  }
}

void Cluster::deliver(Rank& from, RankId to, Bytes payload, std::int64_t at_us) {
  Rank& rank = *from.life.ranks[static_cast<std::size_t>(index(to))];
  time_.at(at_us, [this, &rank, from = RankId{from.number}, payload = std::move(payload)]() mutable {
    if (rank.process.is_dead) {
      return;
    }
    if (is_told_) {
      tell("{} hears {} of rank {}", rank.process.name, words_of(rank, payload), index(from));
    }
    rank.inbox.push_back({from, std::move(payload)});
    wake(rank);
  });
}

std::string Cluster::words_of(const Rank& rank, const Bytes& payload) {
  if (rank.number > 0) {
    const auto message = decode_message<ToWorker>(payload);
    std::string text = fmt::format("order {}", message.index());
    if (const auto* const unit = std::get_if<AssignUnit>(&message)) {
      for (const AssignedItem& item : unit->items) {
        text += fmt::format(", make item {}", index(item.item));
      }
    }
    return text;
  }
  const auto message = decode_message<ToCoordinator>(payload);
  if (const auto* const computed = std::get_if<ItemIsComputed>(&message)) {
    return fmt::format("of item {} computed", index(computed->item));
  }
  if (const auto* const failed = std::get_if<ItemHasFailed>(&message)) {
    return fmt::format("of item {} failed ({})", index(failed->item), name(failed->fault));
  }
  if (const auto* const back = std::get_if<ItemComesBack>(&message)) {
    return fmt::format("of item {} given back", index(back->item));
  }
  return fmt::format("report {}", message.index());
}

}  // namespace pantile::sim
