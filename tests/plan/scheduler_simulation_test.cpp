// Clusters with mishaps, played from seeds: whatever happens, each item is settled exactly once and the run ends.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iostream>
#include <numeric>

#include "plan/sim_cluster.hpp"

namespace pantile {
namespace {

/// The items of a played run, and which blocks each has.
struct Job {
  std::vector<std::uint64_t> costs_px;
  std::vector<std::vector<BlockRange>> blocks;

  /// What is left after a journal; all of it after none.
  [[nodiscard]] Work work(const sim::Journal& journal = {}) const {
    Work work;
    for (std::size_t i = 0; i < costs_px.size(); ++i) {
      std::vector<BlockRange> missing;
      for (const auto& key : keys(i)) {
        if (!journal.committed.contains(key) && !journal.quarantined.contains(ItemId{i})) {
          missing.push_back({key.output, key.block, 1});
        }
      }
      if (!missing.empty()) {
        work.add(ItemId{i}, costs_px[i], missing);
      }
    }
    return work;
  }
  [[nodiscard]] std::vector<BlockKey> keys(std::size_t i) const {
    std::vector<BlockKey> keys;
    for (const auto& range : blocks[i]) {
      for (std::uint32_t block = 0; block < range.count; ++block) {
        keys.push_back({ItemId{i}, range.output, BlockId{index(range.first) + block}});
      }
    }
    return keys;
  }
  [[nodiscard]] double total_px() const {
    return std::accumulate(costs_px.begin(), costs_px.end(), 0.0,
                           [](double sum, std::uint64_t px) { return sum + static_cast<double>(px); });
  }
};

/// Sizes as an archive has them: log-normal around a megapixel, some items of several blocks and with two outputs.
Job lognormal_job(std::uint64_t seed, std::size_t items, double sigma, bool has_many_blocks) {
  std::mt19937_64 random{seed};
  std::lognormal_distribution<double> size{0, sigma};
  Job job;
  for (std::size_t i = 0; i < items; ++i) {
    job.costs_px.push_back(static_cast<std::uint64_t>(std::ceil(1e6 * size(random))));
    const auto blocks = has_many_blocks ? static_cast<std::uint32_t>(1 + random() % 4) : 1;
    job.blocks.push_back({{OutputId{0}, BlockId{0}, blocks}});
    if (has_many_blocks && i % 3 == 0) {
      job.blocks.back().push_back({OutputId{1}, BlockId{0}, 1});
    }
  }
  return job;
}

/// Each item is either committed with all its blocks, or quarantined; nothing else is in the journal.
void expect_each_settled_once(const sim::Journal& journal, const Job& job) {
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < job.costs_px.size(); ++i) {
    const auto keys = job.keys(i);
    const bool is_committed =
        std::all_of(keys.begin(), keys.end(), [&](const BlockKey& key) { return journal.committed.contains(key); });
    EXPECT_NE(is_committed, journal.quarantined.contains(ItemId{i})) << "item " << i;
    blocks += keys.size();
  }
  if (journal.quarantined.empty()) {
    EXPECT_EQ(journal.committed.size(), blocks);
  }
}

sim::Options faulty(std::uint64_t seed) {
  std::mt19937_64 random{seed};
  const auto maybe = [&](double probability) { return random() % 2 == 0 ? probability : 0.0; };
  sim::Options options{.seed = seed, .px_per_s = {4e6, 4e6, 2e6, 2e6, 2e6, 2e6, 6e5, 6e5}};
  options.noise = maybe(0.3);
  options.latency_s = random() % 2 == 0 ? 0.001 : 0.2;
  options.rows_per_shard = 5 + static_cast<std::uint32_t>(random() % 40);
  options.reorder = random() % 4 == 0;
  options.doubled = maybe(0.1);
  options.rank_lost = maybe(0.4);
  options.rank_hangs = maybe(0.3);
  options.shard_aborted = maybe(0.1);
  options.item_returned = maybe(0.02);
  options.model_fails = maybe(0.01);
  options.close_s = random() % 2 == 0 ? 0.02 : 2;
  options.longest_stop_s = random() % 2 == 0 ? 5 : 400;
  options.settings.hang_min_s = random() % 2 == 0 ? 1 : 30;
  options.settings.seal_timeout_s = random() % 2 == 0 ? 1 : 300;
  options.settings.retries = 8;  // so that no item is given up by mere bad luck
  constexpr ScheduleConfig::Policy policies[]{ScheduleConfig::Policy::resolution, ScheduleConfig::Policy::dynamic,
                                              ScheduleConfig::Policy::equal};
  options.settings.policy = policies[random() % 3];
  options.disk_full = maybe(0.5);
  options.checks_each_step = true;
  return options;
}

TEST(SchedulerSimulation, SettlesEachItemOnceWhenRanksAreLostDisksAreFullAndMessagesAreReordered) {
  sim::Mishaps seen;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Job job = lognormal_job(seed, 60, 1.0, seed % 2 == 0);
    const auto report = sim::Cluster{job.work(), faulty(seed)}.run();
    ASSERT_TRUE(report.has_finished);
    EXPECT_EQ(report.outcome, Outcome::complete);
    EXPECT_TRUE(report.journal.quarantined.empty());
    expect_each_settled_once(report.journal, job);
    seen += report.mishaps;
    if (HasFailure()) {
      break;
    }
  }
  // A simulation in which nothing goes wrong shows nothing.
  EXPECT_GT(seen.ranks_lost, 100U);
  EXPECT_GT(seen.ranks_hung, 100U);
  EXPECT_GT(seen.shards_aborted, 100U);
  EXPECT_GT(seen.disks_full, 100U);
  EXPECT_GT(seen.shards_refused, 10U);
  EXPECT_GT(seen.rows_unwanted, 100U);
  EXPECT_GT(seen.items_failed, 100U);
}

TEST(SchedulerSimulation, QuarantinesExactlyTheItemsThatAreToBlame) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Job job = lognormal_job(seed, 60, 1.0, true);
    auto options = faulty(seed);
    options.model_fails = 0;
    options.settings.retries = 2;
    options.bad = {ItemId{3}, ItemId{17}};
    options.broken = {ItemId{5}};
    options.crashing = {ItemId{8}};
    const auto report = sim::Cluster{job.work(), options}.run();
    ASSERT_TRUE(report.has_finished);
    expect_each_settled_once(report.journal, job);
    ASSERT_EQ(report.journal.quarantined.size(), 4U);
    EXPECT_EQ(report.journal.quarantined.at(ItemId{3}).attempts, 1U);
    // One more if the rank of an earlier copy was only slow: an attempt under way is waited for.
    EXPECT_GE(report.journal.quarantined.at(ItemId{5}).attempts, 3U);
    EXPECT_LE(report.journal.quarantined.at(ItemId{5}).attempts, 4U);
    EXPECT_EQ(report.journal.quarantined.at(ItemId{8}).attempts, 2U);
    EXPECT_EQ(report.journal.quarantined.at(ItemId{8}).fault, Fault::crashed);
    if (HasFailure()) {
      break;
    }
  }
}

TEST(SchedulerSimulation, ADrainedRunIsCompletedByItsResume) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Job job = lognormal_job(seed, 80, 1.0, true);
    auto options = faulty(seed);
    options.drain_at_s = 0.02 * static_cast<double>(seed % 100);
    auto first = sim::Cluster{job.work(), options}.run();
    ASSERT_TRUE(first.has_finished);
    EXPECT_EQ(first.outcome, Outcome::drained);
    auto rest = faulty(seed + 1000);
    const auto second = sim::Cluster{job.work(first.journal), rest}.run();
    ASSERT_TRUE(second.has_finished);
    for (const auto& key : second.journal.committed) {
      EXPECT_TRUE(first.journal.committed.insert(key).second) << "committed in both epochs";
    }
    expect_each_settled_once(first.journal, job);
    if (HasFailure()) {
      break;
    }
  }
}

TEST(SchedulerSimulation, ARunEndsBeforeItsDeadlineHasUsedItAndIsCompletedByItsResumes) {
  const std::vector<double> px_per_s{4e6, 4e6, 2e6, 2e6, 2e6, 2e6, 6e5, 6e5};
  std::uint64_t stopped = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Job job = lognormal_job(seed, 200, 1.0, seed % 2 == 0);
    for (auto& px : job.costs_px) {
      px = std::min<std::uint64_t>(px, 10'000'000);  // what takes longer than the limit never fits
    }
    sim::Options options{.seed = seed, .px_per_s = px_per_s, .noise = 0.3, .latency_s = 0.01};
    options.hint_error = seed % 3 == 0 ? 0.3 : -1;
    options.settings.close_s = 1;
    options.settings.seal_px_per_s = 1e9;
    options.settings.retries = 8;
    options.model_fails = seed % 5 == 0 ? 0.01 : 0;
    options.rank_lost = seed % 4 == 0 ? 0.4 : 0;
    options.checks_each_step = true;
    options.deadline_s = 6;
    sim::Journal all;
    Outcome outcome = Outcome::drained;
    for (int epoch = 0; outcome == Outcome::drained && epoch < 100; ++epoch) {
      options.seed = 1000 * seed + static_cast<std::uint64_t>(epoch);
      const auto report = sim::Cluster{job.work(all), options}.run();
      ASSERT_TRUE(report.has_finished);
      EXPECT_LE(report.makespan_s, options.deadline_s);
      outcome = report.outcome;
      for (const auto& key : report.journal.committed) {
        EXPECT_TRUE(all.committed.insert(key).second) << "committed in two epochs";
      }
      if (outcome == Outcome::drained) {
        ++stopped;
        EXPECT_EQ(report.times_up, 1U) << "it says why";
      }
    }
    EXPECT_EQ(outcome, Outcome::complete);
    expect_each_settled_once(all, job);
    if (HasFailure()) {
      break;
    }
  }
  EXPECT_GT(stopped, 200U);
}

TEST(SchedulerSimulation, UnequalRanksFinishTogether) {
  const std::vector<double> px_per_s{4e6, 4e6, 2e6, 2e6, 2e6, 2e6, 6e5, 6e5};
  double worst = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Job job = lognormal_job(seed, 2000, 1.0, false);
    const auto report = sim::Cluster{job.work(), {.seed = seed, .px_per_s = px_per_s, .noise = 0.1}}.run();
    ASSERT_TRUE(report.has_finished);
    const double bound_s = job.total_px() / std::accumulate(px_per_s.begin(), px_per_s.end(), 0.0);
    worst = std::max(worst, report.makespan_s / bound_s);
  }
  RecordProperty("worst_makespan_over_bound", std::to_string(worst));
  std::cout << "worst makespan / (work / speed): " << worst << "\n";
  EXPECT_LE(worst, 1.02);
}

/// What the policies are there for: to show what knowing sizes and speeds is worth.
TEST(SchedulerSimulation, TheSimplerPoliciesAreSlowerOnUnequalRanks) {
  const std::vector<double> px_per_s{4e6, 4e6, 2e6, 2e6, 2e6, 2e6, 6e5, 6e5};
  const auto ratio = [&](ScheduleConfig::Policy policy, std::uint64_t seed) {
    const Job job = lognormal_job(seed, 400, 1.2, false);
    sim::Options options{.seed = seed, .px_per_s = px_per_s, .noise = 0.1};
    options.settings.policy = policy;
    const auto report = sim::Cluster{job.work(), options}.run();
    EXPECT_EQ(report.outcome, Outcome::complete);
    return report.makespan_s * std::accumulate(px_per_s.begin(), px_per_s.end(), 0.0) / job.total_px();
  };
  double resolution = 0;
  double dynamic = 0;
  double equal = 0;
  constexpr int seeds = 20;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    resolution += ratio(ScheduleConfig::Policy::resolution, seed) / seeds;
    dynamic += ratio(ScheduleConfig::Policy::dynamic, seed) / seeds;
    equal += ratio(ScheduleConfig::Policy::equal, seed) / seeds;
  }
  std::cout << "makespan / (work / speed): resolution " << resolution << ", dynamic " << dynamic << ", equal " << equal
            << "\n";
  EXPECT_LT(resolution, 1.05);
  EXPECT_GT(dynamic, resolution + 0.02);
  EXPECT_GT(equal, 3);  // the slowest rank has an eighth of the items at a thirtieth of the speed
}

TEST(SchedulerSimulation, FewItemsOnVeryUnequalRanksGoToTheFastOnes) {
  const std::vector<double> px_per_s{6e5, 4e6, 6e5, 2e6};  // a slow rank is the first to ask
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Job job = lognormal_job(seed, 12, 1.0, false);
    const auto report = sim::Cluster{job.work(), {.seed = seed, .px_per_s = px_per_s, .hint_error = 0.1}}.run();
    ASSERT_TRUE(report.has_finished);
    const double work_bound_s = job.total_px() / std::accumulate(px_per_s.begin(), px_per_s.end(), 0.0);
    const double item_bound_s = static_cast<double>(*std::max_element(job.costs_px.begin(), job.costs_px.end())) / 4e6;
    EXPECT_LE(report.makespan_s / std::max(work_bound_s, item_bound_s), 1.6);
  }
}

TEST(SchedulerSimulation, OneSeedReplaysExactly) {
  const Job job = lognormal_job(7, 60, 1.0, true);
  const auto once = sim::Cluster{job.work(), faulty(7)}.run();
  const auto again = sim::Cluster{job.work(), faulty(7)}.run();
  EXPECT_EQ(once.makespan_s, again.makespan_s);
  EXPECT_EQ(once.events, again.events);
  EXPECT_EQ(once.journal.committed, again.journal.committed);
}

TEST(SchedulerSimulation, AThousandClustersPlayQuickly) {
  const auto begin = std::clock();  // processor time: the figure does not depend on what else the machine does
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Job job = lognormal_job(seed, 200, 1.0, false);
    auto options = faulty(seed);
    options.checks_each_step = false;
    const auto report = sim::Cluster{job.work(), options}.run();
    ASSERT_TRUE(report.has_finished) << "seed " << seed;
    ASSERT_EQ(report.journal.committed.size(), 200U) << "seed " << seed;
  }
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  RecordProperty("clusters_per_s", std::to_string(1000 / seconds));
  std::cout << "clusters of 8 ranks and 200 items a second: " << 1000 / seconds << "\n";
}

}  // namespace
}  // namespace pantile
