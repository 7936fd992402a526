// Runs that are killed, cut from power, stopped and starved of disk, as seeds want it, and resumed until all is done.
//
// One seed alone, with its story:
//     PANTILE_SIM_SEED=4711 sim_tests --gtest_filter=Cluster.KeepsItsPromisesWhateverHappens
// Other seeds, or more of them: PANTILE_SIM_FIRST=100000 PANTILE_SIM_SEEDS=10000. With PANTILE_SIM_ALL=1 it goes on
// after the first failure, and tells one line of each.

#include "sim/cluster.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <mutex>
#include <numeric>
#include <thread>

namespace pantile::sim {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

thread_local std::uint64_t seed_at_work = 0;

/// expect() aborts: whoever reads that must know the seed.
extern "C" void tell_seed(int /*signal*/) {
  std::array<char, 32> digits{};
  std::size_t at = digits.size();
  digits[--at] = '\n';
  for (std::uint64_t rest = seed_at_work; at > 0 && (rest > 0 || at == digits.size() - 1); rest /= 10) {
    digits[--at] = static_cast<char>('0' + rest % 10);
  }
  constexpr std::string_view words = "PANTILE_SIM_SEED=";
  static_cast<void>(!::write(STDERR_FILENO, words.data(), words.size()));
  static_cast<void>(!::write(STDERR_FILENO, digits.data() + at, digits.size() - at));
}

extern "C" void tell_seed_and_die(int number) {
  tell_seed(number);
  std::signal(number, SIG_DFL);
  static_cast<void>(std::raise(number));
}

std::string text_of(std::uint64_t seed, const Report& report, std::size_t events) {
  std::string text = fmt::format("seed {} (PANTILE_SIM_SEED={} replays it):\n", seed, seed);
  for (const std::string& complaint : report.complaints) {
    text += "  " + complaint + "\n";
  }
  for (std::size_t at = report.story.size() - std::min(events, report.story.size()); at < report.story.size(); ++at) {
    text += report.story[at] + "\n";
  }
  return text;
}

/// What happened in all of them; a failure is told with its story.
Report play(std::uint64_t first, std::uint64_t seeds, unsigned threads) {
  std::atomic<std::uint64_t> next = first;
  std::mutex mutex;
  Report sum;
  std::vector<std::jthread> players;
  for (unsigned i = 0; i < threads; ++i) {
    players.emplace_back([&] {
      for (std::uint64_t seed = next++; seed < first + seeds; seed = next++) {
        seed_at_work = seed;
        const Report report = Cluster{draw_scenario(seed)}.run();
        const std::scoped_lock lock{mutex};
        sum.lives += report.lives;
        sum.events += report.events;
        sum.virtual_s += report.virtual_s;
        sum.made += report.made;
        sum.made_again += report.made_again;
        for (std::size_t mishap = 0; mishap < mishap_count; ++mishap) {
          sum.mishaps[mishap] += report.mishaps[mishap];
        }
        if (!report.complaints.empty() && std::getenv("PANTILE_SIM_ALL") != nullptr) {
          ADD_FAILURE() << "seed " << seed << ": " << report.complaints.front();
        } else if (!report.complaints.empty()) {
          next = first + seeds;
          ADD_FAILURE() << text_of(seed, Cluster{draw_scenario(seed), Story::told}.run(), 60);
        }
      }
    });
  }
  players.clear();
  return sum;
}

class ClusterTest : public testing::Test {
 protected:
  ClusterTest() {
    log::set_sink([](log::Level, std::string_view) {});
    std::signal(SIGABRT, tell_seed);
    std::signal(SIGSEGV, tell_seed_and_die);
  }
  ~ClusterTest() override {
    std::signal(SIGABRT, SIG_DFL);
    std::signal(SIGSEGV, SIG_DFL);
    log::set_sink(nullptr);
  }
};

TEST_F(ClusterTest, KeepsItsPromisesWhateverHappens) {
  if (const std::uint64_t seed = number_from("PANTILE_SIM_SEED", 0); seed != 0) {
    seed_at_work = seed;
    const Report report = Cluster{draw_scenario(seed), Story::told_at_once}.run();
    EXPECT_TRUE(report.complaints.empty()) << text_of(seed, report, 0);
    return;
  }
  const std::uint64_t seeds = number_from("PANTILE_SIM_SEEDS", 300);
  const auto begin = std::clock();
  const Report sum = play(number_from("PANTILE_SIM_FIRST", 1), seeds, 2);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::cout << fmt::format(
      "{} seeds: {} lives, {:.1f} million events, {:.0f} virtual hours, {:.1f} % of blocks made again; {:.1f} ms of "
      "processor time a seed\nmishaps: {}\n",
      seeds, sum.lives, static_cast<double>(sum.events) / 1e6, sum.virtual_s / 3600,
      100.0 * static_cast<double>(sum.made_again) / static_cast<double>(sum.made),
      1000 * seconds / static_cast<double>(seeds), fmt::join(sum.mishaps, ", "));
  // A simulation in which nothing goes wrong shows nothing.
  for (const std::uint64_t count : sum.mishaps) {
    EXPECT_GT(count, seeds / 10);
  }
}

/// Eight workers, and nothing goes wrong but what the test adds.
Scenario peaceful() {
  Scenario scenario = draw_scenario(3);
  scenario.ailments.clear();
  scenario.unreadable.clear();
  scenario.px_per_s.assign(most_workers + 1, 2'000);
  scenario.lives.assign(1, LifePlan{});
  return scenario;
}

TEST_F(ClusterTest, WhatRanOutOfMemoryOnOneRankIsTriedOnNone) {
  Scenario scenario = peaceful();
  for (const auto& [rank, use] : Cluster{scenario}.run().uses) {
    EXPECT_EQ(use.tile.width, 2048) << "rank " << rank;
  }
  scenario.runs_out = {1, 600};
  const Report report = Cluster{scenario}.run();
  EXPECT_TRUE(report.complaints.empty()) << text_of(3, report, 60);
  ASSERT_EQ(report.uses.size(), std::size_t{most_workers});
  for (const auto& [rank, use] : report.uses) {
    EXPECT_LT(use.tile.width, 600) << "rank " << rank;
  }
}

TEST_F(ClusterTest, ACapThatIsSetReachesAllDevices) {
  Scenario scenario = peaceful();
  Blow blow;
  blow.mishap = Mishap::set_cap;
  blow.at_s = 2;
  scenario.lives.front().blows = {blow};
  // The cap is drawn: half of those that may be leave nothing for eight workers, and then nothing changes.
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    scenario.seed = 1000 * seed;
    const Report report = Cluster{scenario}.run();
    EXPECT_TRUE(report.complaints.empty()) << text_of(seed, report, 60);
    ASSERT_EQ(report.uses.size(), std::size_t{most_workers});
    const std::uint64_t engine_bytes = report.uses.begin()->second.engine_bytes;
    for (const auto& [rank, use] : report.uses) {
      EXPECT_EQ(use.engine_bytes, engine_bytes) << "rank " << rank << ", seed " << seed;
    }
    seen.insert(engine_bytes);
  }
  EXPECT_GT(seen.size(), 1U);
}

TEST_F(ClusterTest, OneSeedReplaysExactly) {
  for (const std::uint64_t seed : {7U, 8U, 9U}) {
    const Report once = Cluster{draw_scenario(seed)}.run();
    const Report again = Cluster{draw_scenario(seed), Story::told}.run();
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.virtual_s, again.virtual_s);
    EXPECT_EQ(once.made, again.made);
  }
}

}  // namespace
}  // namespace pantile::sim
