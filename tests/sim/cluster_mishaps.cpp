// What goes wrong in a simulated cluster.

#include "sim/cluster.hpp"

namespace pantile::sim {

void Cluster::strike(Life& life, const Blow& blow) {
  if (blow.rank > life.plan.workers) {
    return;
  }
  Rank& rank = *life.ranks[static_cast<std::size_t>(blow.rank)];
  ++report_.mishaps[static_cast<std::size_t>(blow.mishap)];
  tell("mishap {} to rank {} for {:.1f} s{}", static_cast<int>(blow.mishap), blow.rank, blow.for_s,
       blow.call ? fmt::format(", at call {}", *blow.call) : "");
  switch (blow.mishap) {
    case Mishap::kill_executor: kill_executor(rank); break;
    case Mishap::kill_worker:
    case Mishap::kill_coordinator: kill(rank, blow.call); break;
    case Mishap::kill_all: kill_all(life); break;
    case Mishap::power_loss:
      if (blow.call) {
        dies_with_power_ = &rank;
        kill(rank, blow.call);
      } else {
        lose_power();
      }
      break;
    case Mishap::stop_worker: stop(rank, blow.for_s); break;
    case Mishap::disk_full:
      life.is_troubled = life.has_excuse = life.may_wait = true;
      disk_.set_capacity(disk_.used() + chance_.below(3000));
      time_.after(blow.for_s, [this] { disk_.set_capacity(SimDisk::unlimited); });
      break;
    case Mishap::disk_error:
      life.is_troubled = life.has_excuse = true;
      rank.process.calls_to_fail = blow.call;
      break;
    case Mishap::drain:
      life.is_troubled = true;
      wish_ = StopWish{"the seed asks to stop", chance_.happens(0.5) ? drain_patience_s : 0};
      wishes_in_ = &life;
      break;
    case Mishap::set_cap:
      // By the sum of all ranks: each has its part of it.
      sets_.push_back({.id = fmt::format("set {}", sets_made_++),
                       .epoch = 0,
                       .text = fmt::format("set devices.memory.cap={}MiB", 10U << chance_.below(8))});
      break;
  }
}

void Cluster::kill_executor(Rank& rank) {
  if (rank.executor != nullptr && rank.executor_kills < 2 && !rank.process.is_dead) {
    ++rank.executor_kills;
    rank.life.has_excuse = true;
    rank.executor->die(DeathCause::killed, "SIGKILL");
  }
}

void Cluster::kill(Rank& rank, std::optional<std::uint64_t> call) {
  if (rank.process.is_dead || rank.is_gone) {
    return;
  }
  if (call) {
    rank.process.calls_to_live = call;
    return;
  }
  rank.process.is_dead = true;
  dies(rank);
}

void Cluster::dies(Rank& rank) {
  tell("{} dies", rank.process.name);
  gone(rank);
  if (dies_with_power_ == &rank) {
    dies_with_power_ = nullptr;
    lose_power();
    return;
  }
  Life& life = rank.life;
  if (rank.number == 0) {
    ends(life, std::nullopt);
    return;
  }
  life.is_troubled = life.is_troubled || !life.plan.mpi_ends_all;
  life.may_wait = life.may_wait || !life.plan.mpi_ends_all;
  life.has_excuse = true;
  time_.after(life.plan.mpi_ends_all ? chance_.between(0, 1) : chance_.between(100, 300),
              [this, &life] { kill_all(life); });
}

void Cluster::kill_all(Life& life) {
  for (const auto& rank : life.ranks) {
    if (!rank->process.is_dead) {
      rank->process.is_dead = true;
      gone(*rank);
    }
  }
  ends(life, std::nullopt);
}

void Cluster::lose_power() {
  power_is_out_ = true;
  for (const auto& life : lives_) {
    kill_all(*life);
  }
}

void Cluster::stop(Rank& rank, double for_s) {
  rank.life.is_troubled = rank.life.may_wait = true;
  rank.process.is_stopped = true;
  time_.after(for_s, [this, &rank] {
    rank.process.is_stopped = false;
    wake(rank);
  });
}

void Cluster::close(Rank& rank) {
  if (rank.store != nullptr) {
    rank.store->close();
  }
  if (rank.executor != nullptr) {
    rank.executor->vanish();
  }
}

void Cluster::gone(Rank& rank) {
  if (!rank.is_gone) {
    rank.is_gone = true;
    rank.gone_s = time_.now_s();
  }
  if (rank.executor != nullptr) {
    rank.executor->vanish();
  }
}

}  // namespace pantile::sim
