// What journal, shards and folder promise together: a process that is killed at any moment loses nothing that it has
// acknowledged, and a resume ends with the content of a run that nobody disturbed.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <random>
#include <set>
#include <thread>

#include "base/log.hpp"
#include "store/fixture.hpp"
#include "store/verify.hpp"

namespace pantile {
namespace {

constexpr std::uint64_t item_count = 150;
constexpr std::uint32_t items_per_shard = 3;

testing::TestItem item_facts(std::uint64_t item) {
  return item % 40 == 39 ? testing::TestItem{{2050, 30}, 1} : testing::TestItem{{20 + static_cast<int>(item % 50), 64}};
}

/// A whole small run, resumed wherever the last one stopped. Tells `acknowledge` each item once its commit is durable.
void run_or_resume(const std::filesystem::path& root, const std::function<void(std::uint64_t)>& acknowledge) {
  RunFolder folder = RunFolder::open(root, std::chrono::seconds{5});
  static_cast<void>(folder.claim_identity("test: kill\n" + testing::catalog_line(testing::test_catalog(item_count))));
  const RunLayout& layout = folder.layout();
  if (!std::filesystem::exists(layout.catalog())) {
    write_catalog(layout.catalog(), testing::test_catalog(item_count));
  }
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state);
  journal.append(RunStart{.time = "t",
                          .items = item_count,
                          .outputs = {{"page", DType::u8}},
                          .identity = read_text(layout.identity()),
                          .catalog_digest = testing::test_catalog(item_count).digest()},
                 state);
  journal.commit();
  folder.set_epoch(journal.epoch());
  folder.remove_orphans(state);

  std::uint64_t next = 0;
  for (std::uint32_t counter = 0; state.pending_items() > 0; ++counter) {
    ShardWriter writer{layout, {journal.epoch(), RankId{1}, ShardId{counter}}, testing::test_facts()};
    std::vector<std::uint64_t> items;
    for (; items.size() < items_per_shard && next < item_count; ++next) {
      if (!state.pending(ItemId{next})) {
        continue;
      }
      for (const auto& block : testing::make_blocks(next, item_facts(next))) {
        writer.append(block.row, block.pixels);
      }
      items.push_back(next);
    }
    const auto sealed = writer.seal(std::vector<bool>(writer.rows().size(), true));
    journal.append(to_commit(*sealed), state);
    journal.commit();
    for (const std::uint64_t item : items) {
      acknowledge(item);
    }
  }
  const RunTotals totals = write_index(layout, read_catalog(layout.catalog()), state);
  journal.append(RunEnd{totals.digest, hash_of(layout.index())}, state);
  journal.commit();
}

/// Starts the run in a process of its own, kills it after `life`, and adds what it acknowledged.
void run_and_kill(const std::filesystem::path& root, std::chrono::microseconds life,
                  std::set<std::uint64_t>& acknowledged) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      run_or_resume(root, [&](std::uint64_t item) { static_cast<void>(!::write(pipe[1], &item, sizeof item)); });
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::this_thread::sleep_for(life);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << "it must not fail by itself";
  for (std::uint64_t item = 0; ::read(pipe[0], &item, sizeof item) == sizeof item;) {
    EXPECT_TRUE(acknowledged.insert(item).second) << "item " << item << " was made and committed twice";
  }
  ::close(pipe[0]);
}

TEST(Store, LosesAndDoublesNothingWhenKilledAtAnyMoment) {
  log::set_level(log::Level::error);
  const testing::TempFolder folder;
  const auto root = folder.path() / "run";
  const auto undisturbed = folder.path() / "undisturbed";
  run_or_resume(undisturbed, [](std::uint64_t) {});
  const VerifyReport expected = verify_run(RunLayout{undisturbed});
  ASSERT_TRUE(expected.problems.empty());

  std::mt19937_64 random{7};
  std::set<std::uint64_t> acknowledged;
  int kills = 0;
  for (; kills < 25 && acknowledged.size() < item_count; ++kills) {
    run_and_kill(root, std::chrono::microseconds{1'000 + random() % 25'000}, acknowledged);
    const JournalState state = read_journal(root / "journal");
    for (const std::uint64_t item : acknowledged) {
      ASSERT_TRUE(state.done(ItemId{item})) << "item " << item << " was acknowledged and is lost, after kill " << kills;
    }
    for (const CommittedShard& shard : state.shards()) {
      ASSERT_TRUE(std::filesystem::exists(RunLayout{root}.shard(shard.name))) << shard.name;
    }
  }
  RecordProperty("kills", kills);
  EXPECT_GE(kills, 3) << "the run is too short to be killed";
  run_or_resume(root, [&](std::uint64_t item) { acknowledged.insert(item); });
  const VerifyReport report = verify_run(RunLayout{root});
  EXPECT_TRUE(report.problems.empty()) << report.problems.front();
  EXPECT_EQ(report.digest, expected.digest);
  EXPECT_EQ(report.done, item_count);
  log::set_level(log::Level::info);
}

}  // namespace
}  // namespace pantile
