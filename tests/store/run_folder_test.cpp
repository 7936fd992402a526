#include "store/run_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "base/log.hpp"
#include "store/fixture.hpp"
#include "store/verify.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::shard_name;
using testing::TempFolder;

template <class Action>
std::string usage_error_of(Action action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no usage error";
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

void touch(const std::filesystem::path& path) { replace_file(path, "x", Durable::no); }

TEST(RunFolder, BelongsToOneRunAtATime) {
  const TempFolder folder;
  const auto root = folder.path() / "out" / "run";
  {
    RunFolder first = RunFolder::open(root, 0ms);
    first.set_epoch(Epoch{3});
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(usage_error_of([&] { static_cast<void>(RunFolder::open(root, 300ms)); }),
                AllOf(HasSubstr("is in use by process " + std::to_string(::getpid()) + " on " + host_name()),
                      HasSubstr("epoch 3")));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
  }
  static_cast<void>(RunFolder::open(root, 0ms));
}

TEST(RunFolder, IsTakenOverBySomeoneWhoWaitedForTheLastRunToEnd) {
  const TempFolder folder;
  auto first = std::make_unique<RunFolder>(RunFolder::open(folder.path(), 0ms));
  std::thread ends{[&] {
    std::this_thread::sleep_for(300ms);
    first.reset();
  }};
  EXPECT_EQ(usage_error_of([&] { static_cast<void>(RunFolder::open(folder.path(), 10s)); }), "no usage error");
  ends.join();
}

/// A process that takes the folder and is killed while it has it.
void die_holding(const std::filesystem::path& root) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunFolder folder = RunFolder::open(root, 0ms);
    static_cast<void>(!::write(ready[1], "x", 1));
    ::pause();
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(usage_error_of([&] { static_cast<void>(RunFolder::open(root, 0ms)); }),
              HasSubstr("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(RunFolder, OfAKilledOwnerIsFreeAtOnce) {
  const TempFolder folder;
  die_holding(folder.path());
  EXPECT_THAT(read_text(folder.path() / "lock"), HasSubstr(host_name())) << "its name is still there";
  static_cast<void>(RunFolder::open(folder.path(), 0ms));
  EXPECT_EQ(read_text(folder.path() / "lock"), "") << "an owner that ends in good order takes its name away";
}

// Locks do not reach every host on every file system: there the name in the file is all there is.
TEST(RunFolder, OfAnOwnerOnAnotherHostIsFreeOnlyIfNothingMoves) {
  log::set_level(log::Level::error);
  const TempFolder folder;
  const std::string owner = "node-that-is-not-here 123 7\n";
  replace_file(folder.path() / "lock", owner, Durable::no);
  std::atomic<bool> stop = false;
  std::thread alive{[&] {
    while (!stop) {
      std::this_thread::sleep_for(50ms);
      touch(folder.path() / "live.json");
    }
  }};
  EXPECT_THAT(usage_error_of([&] { static_cast<void>(RunFolder::open(folder.path(), 400ms)); }),
              HasSubstr("process 123 on node-that-is-not-here (epoch 7)"));
  stop = true;
  alive.join();
  EXPECT_EQ(read_text(folder.path() / "lock"), owner);
  EXPECT_EQ(usage_error_of([&] { static_cast<void>(RunFolder::open(folder.path(), 400ms)); }), "no usage error");
  log::set_level(log::Level::info);
}

TEST(RunFolder, SaysWhoOwnsIt) {
  const TempFolder folder;
  const RunLayout layout{folder.path()};
  EXPECT_EQ(owner_of(layout), std::nullopt) << "there is no lock yet";
  {
    RunFolder run = RunFolder::open(folder.path(), 0ms);
    run.set_epoch(Epoch{4});
    EXPECT_EQ(owner_of(layout), (LockOwner{.host = host_name(), .pid = ::getpid(), .epoch = 4}));
  }
  EXPECT_EQ(owner_of(layout), std::nullopt);
  die_holding(folder.path());
  EXPECT_EQ(owner_of(layout), std::nullopt) << "its name is there, but it is dead";
  replace_file(layout.lock(), "node-that-is-not-here 123 7\n", Durable::no);
  EXPECT_EQ(owner_of(layout), (LockOwner{.host = "node-that-is-not-here", .pid = 123, .epoch = 7}));
  std::filesystem::last_write_time(layout.lock(), std::filesystem::file_time_type::clock::now() - 10min);
  EXPECT_EQ(owner_of(layout), std::nullopt) << "it has not beaten for long";
}

// Listing inputs or writing an index may take minutes, in which an owner writes nothing else.
TEST(RunFolder, ShowsThatItsOwnerLivesWhateverThatDoes) {
  const TempFolder folder;
  const RunFolder run = RunFolder::open(folder.path(), 0ms);
  const auto lock = run.layout().lock();
  const auto before = std::filesystem::last_write_time(lock);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (std::filesystem::last_write_time(lock) == before && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_NE(std::filesystem::last_write_time(lock), before);
}

// A frozen machine thaws: the one that was taken for dead must not take the other's name away, nor vouch for it.
TEST(RunFolder, ThatHasANewOwnerIsLeftAloneByTheOldOne) {
  const TempFolder folder;
  const auto lock = folder.path() / "lock";
  const std::string owner = "node-that-is-not-here 123 7\n";
  {
    RunFolder old = RunFolder::open(folder.path(), 0ms);
    replace_file(folder.path() / "other", owner, Durable::no);
    std::filesystem::copy_file(folder.path() / "other", lock, std::filesystem::copy_options::overwrite_existing);
    const auto before = std::filesystem::last_write_time(lock);
    EXPECT_THAT(usage_error_of([&] { old.set_epoch(Epoch{2}); }),
                HasSubstr("in use by process 123 on node-that-is-not-here (epoch 7)"));
    std::this_thread::sleep_for(2200ms);
    EXPECT_EQ(std::filesystem::last_write_time(lock), before);
  }
  EXPECT_EQ(read_text(lock), owner);
}

TEST(RunFolder, HoldsOneIdentityForEver) {
  const TempFolder folder;
  std::string run_id;
  const std::string identity = "model: a.onnx\ncolor: RGB\nitems: 5\n";
  {
    RunFolder run = RunFolder::open(folder.path(), 0ms);
    run_id = run.claim_identity(identity);
    EXPECT_EQ(run_id.size(), 32U);
  }
  RunFolder run = RunFolder::open(folder.path(), 0ms);
  EXPECT_EQ(run.claim_identity(identity), run_id) << "a resume is the same run";
  EXPECT_EQ(read_identity(run.layout()).text, identity);
  const std::string before = read_text(run.layout().identity());
  EXPECT_THAT(usage_error_of([&] { static_cast<void>(run.claim_identity("model: b.onnx\ncolor: RGB\nitems: 5\n")); }),
              AllOf(HasSubstr("- model: a.onnx\n+ model: b.onnx\n"), Not(HasSubstr("color")), HasSubstr("--fresh")));
  EXPECT_EQ(read_text(run.layout().identity()), before);
}

TEST(RunFolder, WithoutItsIdentityIsNotTrusted) {
  const TempFolder folder;
  RunFolder run = RunFolder::open(folder.path(), 0ms);
  touch(run.layout().journal());
  EXPECT_THROW(static_cast<void>(run.claim_identity("a: 1\n")), Error);
}

TEST(DiffLines, NameWhatWentAndWhatCame) {
  EXPECT_EQ(diff_lines("a\nb\nc\n", "a\nb\nc\n"), "");
  EXPECT_EQ(diff_lines("a\nb\nc\n", "a\nx\nc\nd\n"), "- b\n+ x\n+ d\n");
  EXPECT_EQ(diff_lines("a\na\n", "a\n"), "- a\n");
  EXPECT_NE(diff_lines("a\nb\n", "b\na\n"), "");
}

TEST(RunFolder, KeepsTheOldRunAsideWhenFresh) {
  const TempFolder folder;
  const auto root = folder.path() / "run";
  const testing::SmallRun old{root};
  for (const char* kept : {"run.old-1", "run.old-2"}) {
    {
      RunFolder fresh = RunFolder::open_fresh(root.string() + "/", 0ms);
      EXPECT_FALSE(std::filesystem::exists(fresh.layout().journal()));
      EXPECT_TRUE(std::filesystem::exists(folder.path() / kept / "shards"));
      static_cast<void>(fresh.claim_identity("a: 1\n"));
    }
  }
  EXPECT_TRUE(verify_run(RunLayout{folder.path() / "run.old-1"}).problems.empty()) << "the old run is whole";
  {
    const RunFolder busy = RunFolder::open(root, 0ms);
    EXPECT_THAT(usage_error_of([&] { static_cast<void>(RunFolder::open_fresh(root, 100ms)); }), HasSubstr("in use"));
  }
}

TEST(RunFolder, ThatCannotBeMadeSaysWhy) {
  const TempFolder folder;
  touch(folder.path() / "file");
  EXPECT_THROW(static_cast<void>(RunFolder::open(folder.path() / "file" / "run", 0ms)), Error);
  EXPECT_THROW(static_cast<void>(RunFolder::open(folder.path() / "file", 0ms)), Error);
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST(RunFolder, SweepsWhatAnInterruptedEpochLeftAndNothingElse) {
  const TempFolder folder;
  const auto root = folder.path() / "run";
  testing::SmallRun run{root};
  const auto shards = run.layout.shards();
  touch(shards / "e0001-r0001-000001.h5.partial");
  touch(shards / "e0001-r0002-000000.h5.partial");
  touch(shards / "e0001-r0003-000000.h5");
  touch(shards / "notes.h5");
  touch(root / "index.h5.tmp-123");
  touch(root / "run.yaml.tmp-99");
  touch(root / "keep.tmp-99");
  const RunFolder resumed = RunFolder::open(root, 0ms);
  EXPECT_EQ(resumed.remove_orphans(read_journal(run.layout.journal())), 5U);
  EXPECT_THAT(names_in(shards),
              ::testing::UnorderedElementsAre("e0001-r0001-000000.h5", "e0001-r0002-000000.h5", "notes.h5"));
  EXPECT_TRUE(std::filesystem::exists(root / "keep.tmp-99"));
  EXPECT_EQ(resumed.remove_orphans(read_journal(run.layout.journal())), 0U);
}

TEST(RunFolder, KeepsSealedShardsThatADamagedJournalNoLongerNames) {
  const TempFolder folder;
  const auto root = folder.path() / "run";
  testing::SmallRun run{root};
  const auto size = std::filesystem::file_size(run.layout.journal());
  testing::flip_byte(run.layout.journal(), size / 2);
  touch(run.layout.shards() / "e0001-r0001-000001.h5.partial");
  const RunFolder resumed = RunFolder::open(root, 0ms);
  JournalState state;
  const Journal journal = Journal::open(run.layout.journal(), state);
  ASSERT_TRUE(journal.lost_tail());
  ASSERT_LT(state.shards().size(), 2U);
  static_cast<void>(resumed.remove_orphans(state, Sealed::keep));
  EXPECT_EQ(names_in(run.layout.shards()).size(), state.shards().size());
  EXPECT_EQ(names_in(root / "shards.torn-1").size(), 2 - state.shards().size());
}

// The worker's node dies after the rename, before rank 0's journal record is on disk.
TEST(RunFolder, TakesAShardThatWasSealedButNotCommittedForNone) {
  const TempFolder folder;
  const auto root = folder.path() / "run";
  const RunLayout layout{root};
  const auto blocks = testing::make_blocks(0, {{10, 10}});
  {
    const RunFolder killed = RunFolder::open(root, 0ms);
    JournalState state;
    Journal journal = Journal::open(layout.journal(), state);
    journal.append(RunStart{.time = "t", .items = 1, .outputs = {{"page", DType::u8}}}, state);
    journal.commit();
    journal.append(to_commit(testing::write_shard(layout, shard_name(0), {&blocks[0]})), state);
    // No commit(): as if it were killed here.
  }
  const RunFolder resumed = RunFolder::open(root, 0ms);
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state);
  EXPECT_FALSE(state.done(ItemId{0}));
  journal.append(RunStart{.time = "t", .items = 1, .outputs = {{"page", DType::u8}}}, state);
  EXPECT_EQ(resumed.remove_orphans(state), 1U);
  EXPECT_TRUE(std::filesystem::is_empty(layout.shards()));
  journal.append(to_commit(testing::write_shard(layout, shard_name(0, 2), {&blocks[0]})), state);
  journal.commit();
  EXPECT_TRUE(read_journal(layout.journal()).done(ItemId{0}));
}

}  // namespace
}  // namespace pantile
