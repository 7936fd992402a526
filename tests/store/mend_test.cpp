#include "store/mend.hpp"

#include <gmock/gmock.h>

#include <optional>
#include <random>
#include <thread>

#include "base/log.hpp"
#include "store/adopt.hpp"
#include "store/file_seal.hpp"
#include "store/fixture.hpp"
#include "store/index_reader.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::shard_name;
using testing::SmallRun;
using testing::TempFolder;

Catalog no_inputs(const std::string& /*config*/, const std::string& /*folder*/) { throw Error{"the inputs are away"}; }

Mended mend(const RunLayout& layout, const ListInputs& list = no_inputs) {
  log::set_level(log::Level::error);
  RunFolder folder = RunFolder::open(layout.root, 0ms);
  Mended mended =
      mend_run(folder, verify_run(layout, {}, Writers::none), {.time = "now", .had_ended = false, .list_inputs = list});
  log::set_level(log::Level::info);
  return mended;
}

void flip_bit(const std::filesystem::path& path, std::uint64_t at, unsigned bit) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(static_cast<std::streamoff>(at));
  const char before = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(static_cast<unsigned char>(before) ^ (1U << bit)));
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// Whatever bit rots, the store alone brings all of it back but the pixels of the shard that it was in, and what only
// the journal knew: the quarantine. The rest is work for a run.
TEST(Mend, BringsBackAllThatIsSoundAfterAnyFlippedBit) {
  std::mt19937_64 random{20261121};
  for (int round = 0; round < 25; ++round) {
    const TempFolder folder;
    const SmallRun run{folder.path()};
    const auto files = std::vector{run.layout.journal(), run.layout.index(), run.layout.identity(),
                                   run.layout.catalog(), run.layout.shard("e0001-r0001-000000.h5")};
    const auto& path = files[static_cast<std::size_t>(round) % files.size()];
    const std::uint64_t at = random() % std::filesystem::file_size(path);
    SCOPED_TRACE(path.filename().string() + " at " + std::to_string(at));
    flip_bit(path, at, static_cast<unsigned>(random() % 8));
    ASSERT_THAT(verify_run(run.layout).bad_files, Contains(::testing::HasSubstr(path.filename().string())));
    const Mended mended = mend(run.layout, [](const auto&, const auto&) { return testing::test_catalog(7); });
    const VerifyReport after = verify_run(run.layout);
    EXPECT_THAT(after.bad_files, IsEmpty());
    if (path == run.layout.shard("e0001-r0001-000000.h5")) {
      EXPECT_EQ(mended.pending, 3U) << "two items, and the one with blocks in both shards";
      EXPECT_THAT(names_in(run.layout.root / "shards.bad-1"), ElementsAre("e0001-r0001-000000.h5"));
    } else if (path == run.layout.journal()) {
      EXPECT_LE(mended.pending, 1U) << "the one that was in quarantine";
      EXPECT_EQ(after.done, 6U);
    } else {
      EXPECT_EQ(mended.pending, 0U);
      EXPECT_THAT(after.problems, IsEmpty());
      EXPECT_EQ(after.digest, run.totals.digest);
    }
    EXPECT_EQ(mend(run.layout).pending, mended.pending) << "once more changes nothing";
  }
}

TEST(Mend, KeepsWhatItReplaces) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  testing::flip_byte(run.layout.identity(), 100);
  const std::string damaged = read_text(run.layout.identity());
  static_cast<void>(mend(run.layout));
  EXPECT_EQ(read_text(folder.path() / "run.yaml.bad-1"), damaged);
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

TEST(Mend, BeginsAnotherJournalIfThereIsNone) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  std::filesystem::rename(run.layout.journal(), folder.path() / "elsewhere");
  EXPECT_THAT(verify_run(run.layout).problems, ElementsAre(HasSubstr("journal: it is missing")));
  const Mended mended = mend(run.layout);
  EXPECT_EQ(mended.pending, 1U);
  EXPECT_EQ(mended.config, "schema: 1\nname: test\n") << "the shards have it";
  EXPECT_EQ(verify_run(run.layout).done, 6U);
  // A file that is something else is put aside.
  replace_file(run.layout.journal(), "this is somebody's diary, and it is longer than a header", Durable::no);
  EXPECT_THAT(verify_run(run.layout).problems, ElementsAre(HasSubstr("is not a journal")));
  static_cast<void>(mend(run.layout));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "journal.bad-1"));
  EXPECT_EQ(verify_run(run.layout).done, 6U);
}

TEST(Mend, SaysWhatItCannotMakeUpFor) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  std::filesystem::remove(run.layout.catalog());
  EXPECT_THROW(static_cast<void>(mend(run.layout)), Error) << "the inputs are away";
  const auto message = [&](std::size_t items) {
    try {
      static_cast<void>(mend(run.layout, [&](const auto&, const auto&) { return testing::test_catalog(items); }));
    } catch (const Error& error) {
      return std::string{error.what()};
    }
    return std::string{"no error"};
  };
  EXPECT_THAT(message(6), HasSubstr("not what they were when the run began"));
  EXPECT_EQ(message(7), "no error");
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

// The journal may lose its end, and a killed repair the other signs of it: an ended run's losses are made again at
// once.
TEST(Mend, RemembersThatARunHadEnded) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  EXPECT_TRUE(verify_run(run.layout).ended_once);
  std::filesystem::remove(run.layout.shard("e0001-r0001-000000.h5"));
  static_cast<void>(mend(run.layout));
  EXPECT_TRUE(verify_run(run.layout).ended_once);

  const TempFolder second;
  const SmallRun other{second.path()};
  testing::flip_byte(other.layout.journal(), std::filesystem::file_size(other.layout.journal()) - 1);
  EXPECT_FALSE(verify_run(other.layout).ended_once) << "its RunEnd is gone";
  log::set_level(log::Level::error);
  {
    RunFolder owner = RunFolder::open(other.layout.root, 0ms);
    const Mended mended = mend_run(owner, verify_run(other.layout, {}, Writers::none),
                                   {.time = "now", .had_ended = true, .list_inputs = no_inputs});
    EXPECT_EQ(mended.pending, 0U) << "only the end was lost";
  }
  log::set_level(log::Level::info);
  const VerifyReport after = verify_run(other.layout);
  EXPECT_TRUE(after.ended && after.ended_once);

  // A killed repair leaves nothing but the journal to tell it, and that has lost the end.
  testing::flip_byte(other.layout.journal(), std::filesystem::file_size(other.layout.journal()) - 1);
  std::filesystem::remove(other.layout.shard("e0001-r0001-000000.h5"));
  static_cast<void>(mend(other.layout));
  const VerifyReport pending = verify_run(other.layout);
  EXPECT_FALSE(pending.ended);
  EXPECT_TRUE(pending.ended_once) << "the start of the first repair says so";
}

/// A run of one committed shard, and an empty journal behind it: all its shards are unnamed.
struct Unnamed {
  explicit Unnamed(const std::filesystem::path& root) : run{root} {
    std::filesystem::remove(run.layout.journal());
    journal.emplace(Journal::open(run.layout.journal(), state));
    journal->pass_over(latest_epoch(run.layout));
    journal->append(RunStart{.time = "t",
                             .items = 7,
                             .outputs = {{"page", DType::u8}},
                             .identity = read_text(run.layout.identity()),
                             .catalog_digest = testing::test_catalog(7).digest()},
                    state);
  }
  std::size_t adopt() { return adopt_shards(run.layout, prove_shards(run.layout, run.run_id), *journal, state); }
  SmallRun run;
  JournalState state;
  std::optional<Journal> journal;
};

TEST(Adopt, TakesSoundShardsOfThisRun) {
  const TempFolder folder;
  Unnamed unnamed{folder.path()};
  EXPECT_EQ(unnamed.journal->epoch(), Epoch{2}) << "behind that of the shards";
  EXPECT_EQ(unnamed.adopt(), 2U);
  EXPECT_EQ(unnamed.state.done_items(), 6U);
  EXPECT_EQ(unnamed.state.content_sum(), unnamed.run.state.content_sum());
  EXPECT_EQ(unnamed.adopt(), 0U) << "they are named now";
}

TEST(Adopt, TakesNothingThatDoesNotProveItself) {
  const TempFolder folder;
  Unnamed unnamed{folder.path()};
  const RunLayout& layout = unnamed.run.layout;
  const auto first = layout.shard("e0001-r0001-000000.h5");
  const auto second = layout.shard("e0001-r0002-000000.h5");
  // A flipped bit, in pixels or in the seal.
  testing::flip_byte(first, std::filesystem::file_size(first) - 1);
  testing::flip_byte(second, 5000);
  EXPECT_EQ(unnamed.adopt(), 0U);
  testing::flip_byte(first, std::filesystem::file_size(first) - 1);
  testing::flip_byte(second, 5000);
  // Under the name of another shard.
  std::filesystem::rename(first, layout.shard("e0001-r0007-000000.h5"));
  std::filesystem::rename(second, layout.shard("e0001-r0008-000000.h5"));
  EXPECT_EQ(unnamed.adopt(), 0U);
  std::filesystem::rename(layout.shard("e0001-r0007-000000.h5"), first);
  std::filesystem::rename(layout.shard("e0001-r0008-000000.h5"), second);
  // Of another run.
  EXPECT_EQ(adopt_shards(layout, prove_shards(layout, "another run"), *unnamed.journal, unnamed.state), 0U);
  // Rows that have results already.
  const auto blocks = testing::make_blocks(3, unnamed.run.items[3]);
  unnamed.journal->append(
      to_commit(testing::write_shard(layout, shard_name(0, 2), {&blocks[0]}, unnamed.run.facts_of_run())),
      unnamed.state);
  EXPECT_EQ(unnamed.adopt(), 1U) << "item 3 is in the first";
  EXPECT_NE(unnamed.state.find_shard("e0001-r0002-000000.h5"), nullptr);
}

TEST(Adopt, TakesNoPixelsThatAreNotTheirRows) {
  const TempFolder folder;
  Unnamed unnamed{folder.path()};
  auto blocks = testing::make_blocks(6, {{10, 10}});
  blocks[0].pixels[7] ^= std::byte{1};
  static_cast<void>(
      testing::write_shard(unnamed.run.layout, shard_name(9, 1), {&blocks[0]}, unnamed.run.facts_of_run()));
  EXPECT_EQ(unnamed.adopt(), 2U);
  EXPECT_FALSE(unnamed.state.done(ItemId{6}));
}

// ---- other versions, other runs -------------------------------------------------------------------------------------

/// Changes an attribute `format_version` of a file of ours to 2, without HDF5's leave.
void make_newer(const std::filesystem::path& path) {
  hdf5::initialise();
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const std::uint64_t version = 2;
  const hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
  ASSERT_GE(H5Awrite(attribute, H5T_NATIVE_UINT64, &version), 0);
  H5Aclose(attribute);
  H5Fclose(file);
}

/// The journal of a run vouches for files as another version wrote them.
VerifyReport report_of_newer(const std::string& name) {
  const TempFolder folder;
  SmallRun run{folder.path(), name != "index.h5"};
  const auto path = name == "shard" ? run.layout.shard("e0001-r0001-000000.h5") : folder.path() / name;
  ShardCommit commit;
  if (name == "run.yaml") {
    std::string text = read_text(path);
    text.replace(text.find("format: 1"), 9, "format: 2");
    replace_file(path, text, Durable::no);
  } else if (name == "shard") {
    const CommittedShard before = *run.state.find_shard("e0001-r0001-000000.h5");
    std::filesystem::resize_file(path, before.bytes - seal_bytes);
    make_newer(path);
    const FileHash sealed = write_seal(*real_disk().open(path, Access::change));
    commit = {.shard = before.name,
              .bytes = sealed.bytes,
              .hash = sealed.hash,
              .content_sum = before.content_sum,
              .ranges = decode_ranges(before.ranges)};
  } else {
    make_newer(path);
  }
  std::filesystem::remove(run.layout.journal());
  JournalState state;
  Journal journal = Journal::open(run.layout.journal(), state);
  journal.append(RunStart{.time = "t",
                          .items = 7,
                          .outputs = {{"page", DType::u8}},
                          .identity = read_text(run.layout.identity()),
                          .catalog_digest = testing::test_catalog(7).digest(),
                          .catalog = hash_of(run.layout.catalog())},
                 state);
  if (name == "shard") {
    journal.append(commit, state);
  }
  journal.commit();
  const VerifyReport report = verify_run(run.layout);
  EXPECT_TRUE(report.foreign) << name;
  const std::string before = read_text(path);
  EXPECT_THROW(static_cast<void>(mend(run.layout)), UsageError) << name;
  EXPECT_EQ(read_text(path), before) << "it must not be touched";
  return report;
}

TEST(Verify, RefusesNewerFormatsInWordsAndMendLeavesThemAlone) {
  for (const char* name : {"shard", "catalog.h5", "index.h5", "run.yaml"}) {
    EXPECT_THAT(report_of_newer(name).problems,
                Contains(HasSubstr("it has format version 2 (this program reads 1). Use the program that wrote it")))
        << name;
  }
}

TEST(Verify, RefusesANewerJournalInWordsAndMendLeavesItAlone) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  Writer newer;
  newer.raw(std::as_bytes(std::span{"PANTILE-JOURNAL\n", 16})).put(std::uint32_t{2}).put(std::uint32_t{0});
  newer.put(xxh3_64(newer.bytes())).put(std::uint64_t{77});
  const std::string text{reinterpret_cast<const char*>(newer.bytes().data()), newer.bytes().size()};
  replace_file(run.layout.journal(), text, Durable::no);
  const VerifyReport report = verify_run(run.layout);
  EXPECT_THAT(report.problems, ElementsAre(HasSubstr("has format version 2 (this program reads 1)")));
  EXPECT_TRUE(report.foreign);
  EXPECT_THROW(static_cast<void>(mend(run.layout)), UsageError);
  EXPECT_EQ(read_text(run.layout.journal()), text);
}

TEST(Verify, NamesAShardThatIsAnotherOneUnderTheRightName) {
  const TempFolder folder;
  const SmallRun run{folder.path() / "one"};
  const SmallRun other{folder.path() / "other"};
  const auto path = run.layout.shard("e0001-r0001-000000.h5");
  const auto overwrite = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(other.layout.shard("e0001-r0001-000000.h5"), path, overwrite);
  EXPECT_THAT(verify_run(run.layout).problems,
              Contains(HasSubstr("it is a shard of another run (" + other.run_id + " instead of " + run.run_id)));
  std::filesystem::copy_file(run.layout.shard("e0001-r0002-000000.h5"), path, overwrite);
  EXPECT_THAT(verify_run(run.layout).problems,
              Contains(HasSubstr("it is the shard e0001-r0002-000000.h5 of this run under another name")));
  replace_file(path, "GIF89a, or anything else", Durable::no);
  EXPECT_THAT(verify_run(run.layout).problems,
              Contains(::testing::AllOf(HasSubstr("it is no HDF5 file"), HasSubstr("its 4 rows are lost: items 0 ("))));
}

TEST(Verify, OfARunThatIsWrittenTakesWhatIsNotThereYetForNoProblem) {
  const TempFolder folder;
  SmallRun run{folder.path(), false};
  JournalState state;
  {
    Journal journal = Journal::open(run.layout.journal(), state);
    journal.append(Release{ItemId{SmallRun::bad_item}}, state);
    journal.commit();
  }
  replace_file(run.layout.shard("e0001-r0003-000000.h5"), "sealed, not committed", Durable::no);
  replace_file(run.layout.shard("e0001-r0003-000001.h5.partial"), "being written", Durable::no);
  std::ofstream{run.layout.journal(), std::ios::app} << "half a record";
  const VerifyReport unowned = verify_run(run.layout);
  EXPECT_THAT(unowned.bad_files, ElementsAre("journal"));
  EXPECT_THAT(unowned.problems, Contains(HasSubstr("1 of 7 items are neither done")));
  std::filesystem::resize_file(run.layout.journal(), std::filesystem::file_size(run.layout.journal()) - 13);

  RunFolder owner = RunFolder::open(run.layout.root, 0ms);
  owner.set_epoch(Epoch{1});
  const VerifyReport report = verify_run(run.layout);
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("1 of 7 items are neither done")));
  ASSERT_TRUE(report.running);
  EXPECT_EQ(report.running->pid, ::getpid());
  EXPECT_EQ(report.running->epoch, 1U);
  EXPECT_EQ(report.done, 6U);
  // A record that is being written while it looks.
  const auto whole = std::filesystem::file_size(run.layout.journal());
  std::ofstream{run.layout.journal(), std::ios::app} << "half a record";
  std::thread writer{[&] {
    std::this_thread::sleep_for(120ms);
    std::filesystem::resize_file(run.layout.journal(), whole);
  }};
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
  writer.join();
  // Damage is damage all the same.
  testing::flip_byte(run.layout.shard("e0001-r0001-000000.h5"), 5000);
  EXPECT_THAT(verify_run(run.layout).bad_shards, ElementsAre("e0001-r0001-000000.h5"));
}

}  // namespace
}  // namespace pantile
