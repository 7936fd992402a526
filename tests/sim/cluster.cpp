#include "sim/cluster.hpp"

#include "base/byte_size.hpp"

namespace pantile::sim {

Cluster::Cluster(Scenario scenario, Story story)
    : scenario_{std::move(scenario)}, is_told_{story != Story::untold}, tells_at_once_{story == Story::told_at_once} {
  disk_.make_folder(layout_.root);
  disk_.make_folder(layout_.shards());
}

Cluster::~Cluster() {
  for (const auto& life : lives_) {
    for (const auto& rank : life->ranks) {
      rank->process.is_dead = true;  // What is destroyed now has no effect.
    }
  }
}

Report Cluster::run() {
  for (const LifePlan& plan : scenario_.lives) {
    live(plan);
    if (is_complete_ || !oracle_.complaints().empty()) {
      break;
    }
  }
  if (oracle_.complaints().empty()) {
    check_the_end();
  }
  report_.complaints = oracle_.complaints();
  report_.story = std::move(story_);
  report_.virtual_s = time_.now_s();
  report_.events = time_.happened();
  report_.lives = lives_.size();
  report_.made_again = report_.made - ever_made_.size();
  return report_;
}

void Cluster::live(const LifePlan& plan) {
  constexpr double longest_life_s = 3000;
  lives_.push_back(std::make_unique<Life>(Life{.plan = plan, .began_s = time_.now_s()}));
  Life& life = *lives_.back();
  tell("a life begins with {} workers", plan.workers);
  begin(life);
  while (!life.is_over && oracle_.complaints().empty()) {
    go_on();
    if (time_.now_s() - life.began_s > longest_life_s) {
      give_up(life);
    }
  }
  disk_.set_capacity(SimDisk::unlimited);
  bool resumes = false;
  time_.after(chance_.between(0.1, 3), [&resumes] { resumes = true; });
  while (!resumes && oracle_.complaints().empty()) {
    go_on();
  }
  if (oracle_.complaints().empty()) {
    oracle_.look();
    check_work(life);
    is_complete_ = life.code == ExitCode::done || life.code == ExitCode::quarantined;
  }
}

void Cluster::give_up(Life& life) {
  const bool is_able = std::any_of(life.ranks.begin() + 1, life.ranks.end(), [](const auto& rank) {
    return !rank->is_gone && !rank->has_given_up && !rank->process.is_stopped;
  });
  if (is_able) {
    oracle_.complain("the run does not end");
  }
  kill_all(life);
}

void Cluster::go_on() {
  time_.go_on();
  if (power_is_out_) {
    power_is_out_ = false;
    tell("power is lost");
    disk_.lose_power();
  }
}

void Cluster::begin(Life& life) {
  life.ranks.reserve(static_cast<std::size_t>(life.plan.workers) + 1);
  for (int number = 0; number <= life.plan.workers; ++number) {
    life.ranks.push_back(std::make_unique<Rank>(Rank{.life = life, .number = number}));
    Rank& rank = *life.ranks.back();
    rank.process.name = fmt::format("rank {} of life {}", number, lives_.size());
    rank.process.dies = [this, &rank] { dies(rank); };
    rank.disk = std::make_unique<ProcessDisk>(disk_, rank.process, watch_);
    rank.end = std::make_unique<End>(*this, rank);
    time_.after(chance_.exponential(0.2), [this, &rank] { start(rank); });
  }
  for (const Blow& blow : life.plan.blows) {
    time_.after(blow.at_s, [this, &life, &blow] {
      if (!life.is_over) {
        strike(life, blow);
      }
    });
  }
}

void Cluster::start(Rank& rank) {
  if (rank.process.is_dead) {
    return;
  }
  if (rank.number == 0) {
    guarded(rank, [&] { lead(rank); });
  } else {
    rank.worker = std::make_unique<Worker>(*rank.end, worker_parts(rank));
    rank.worker->say_hello();
  }
  tick(rank);
}

void Cluster::lead(Rank& rank) {
  Life& life = rank.life;
  Prospect prospect;
  prospect.config = config();
  // Rank 0 makes a text of it when the cap moves, and reads that: it must be one that a person may write.
  prospect.config.output.shard_size = std::max(config().output.shard_size, 64 * KiB);
  prospect.facts = world_.facts;
  prospect.model_digest = {1, 2};
  prospect.identity = "simulated";
  prospect.catalog = catalog();
  Journal journal = Journal::open(layout_.journal(), prospect.state, *rank.disk);
  oracle_.journal_is_durable();
  journal.pass_over(latest_epoch(layout_, *rank.disk));
  life.job = std::make_unique<Job>(
      Job{std::move(prospect), RunFolder::unlocked(layout_, *rank.disk), "run-of-a-seed", std::move(journal)});
  begin_epoch(*life.job,
              {.time = "t",
               .items = sim_items,
               .outputs = {{"page", DType::u8}},
               .plan = "",
               .folder = "/sim",
               .identity = "simulated",
               .catalog_digest = life.job->catalog.digest(),
               .catalog = {}},
              prove_trivial_shards(*rank.disk, layout_), *rank.disk);
  commit_start(*life.job);
  for (std::uint64_t i = 0; i < sim_items; ++i) {
    for (std::uint32_t block = 0; block < BlockGrid{scenario_.extents[i]}.size(); ++block) {
      const BlockKey key{ItemId{i}, OutputId{0}, BlockId{block}};
      if (life.job->state.committed(key)) {
        life.committed_before.insert(key);
      }
    }
  }
  life.coordinator =
      std::make_unique<Coordinator>(*life.job, *rank.end, coordinator_parts(rank), std::optional<WallTime>{});
}

void Cluster::fails(Rank& rank, const Error& error) {
  tell("{} fails: {}", rank.process.name, error.what());
  const bool is_latest = &rank.life == lives_.back().get();
  if (!rank.process.has_failed && !rank.life.has_excuse && rank.executor_kills == 0 && is_latest &&
      !rank.life.is_over) {
    oracle_.complain(fmt::format("{} fails without a reason: {}", rank.process.name, error.what()));
  }
  rank.life.is_troubled = true;
  rank.life.has_excuse = true;
  if (rank.number == 0) {
    dismiss_workers(*rank.end, ExitCode::failed);
    ends(rank.life, ExitCode::failed);
    return;
  }
  // As run_worker() does it.
  rank.has_given_up = true;
  close(rank);
  rank.end->send(RankId{0},
                 encode_message(ToCoordinator{WorkerGivesUp{static_cast<std::int32_t>(error.code()), error.what()}}));
}

void Cluster::step(Rank& rank) {
  rank.is_planned = false;
  if (rank.process.is_dead || rank.process.is_stopped || rank.is_gone) {
    return;
  }
  guarded(rank, [&] {
    if (rank.number > 0) {
      step_worker(rank);
    } else if (rank.life.coordinator && !rank.life.is_over) {
      step_coordinator(rank);
    }
  });
}

void Cluster::step_worker(Rank& rank) {
  if (!rank.worker || rank.has_given_up) {
    return;
  }
  if (rank.worker->step()) {
    wake(rank);
  }
  if (rank.worker->leaves_with()) {
    close(rank);
    gone(rank);
  }
}

void Cluster::step_coordinator(Rank& rank) {
  Coordinator& coordinator = *rank.life.coordinator;
  if (!coordinator.has_ended()) {
    if (coordinator.step()) {
      wake(rank);
    }
  }
  if (!coordinator.has_ended()) {
    return;
  }
  const Conclusion conclusion = coordinator.conclude();
  if (rank.process.is_dead) {
    return;
  }
  tell("the coordinator ends with {}: {}", static_cast<int>(conclusion.code), conclusion.error);
  if (conclusion.code == ExitCode::failed && !rank.life.has_excuse) {
    oracle_.complain("the run fails without a reason: " + conclusion.error);
  }
  if (conclusion.code == ExitCode::done || conclusion.code == ExitCode::quarantined) {
    oracle_.hears_of_the_end();
  }
  ends(rank.life, conclusion.code);
}

void Cluster::ends(Life& life, std::optional<ExitCode> code) {
  if (life.is_over) {
    return;
  }
  life.is_over = true;
  life.code = code;
  life.ended_s = time_.now_s();
  const double patience_s = code ? 30 : life.plan.zombies_s;  // MPI_Finalize waits, mpirun kills
  time_.after(patience_s, [this, &life] { kill_all(life); });
}

}  // namespace pantile::sim
