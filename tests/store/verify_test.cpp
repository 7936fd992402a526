#include "store/verify.hpp"

#include <gmock/gmock.h>

#include <random>

#include "base/hdf5.hpp"
#include "store/fixture.hpp"

namespace pantile {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SmallRun;
using testing::TempFolder;

constexpr const char* first_shard = "e0001-r0001-000000.h5";
constexpr const char* second_shard = "e0001-r0002-000000.h5";

TEST(Verify, FindsNothingWrongWithASoundRun) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  std::uint64_t last = 0;
  std::uint64_t all = 0;
  const VerifyReport report = verify_run(run.layout, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  });
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.items, 7U);
  EXPECT_EQ(report.done, 6U);
  EXPECT_EQ(report.quarantined, 1U);
  EXPECT_EQ(last, all);
  Hash128 expected = quarantine_digest(ItemId{SmallRun::bad_item}, Fault::truncated);
  for (std::uint64_t item = 0; item < run.items.size(); ++item) {
    for (const auto& block : testing::make_blocks(item, run.items[item])) {
      expected += block.row.digest;
    }
  }
  EXPECT_EQ(report.digest, expected);
  EXPECT_EQ(report.digest, run.totals.digest);
}

TEST(Verify, FindsEveryFlippedBitOfAShard) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto shard = run.layout.shard(first_shard);
  const auto size = std::filesystem::file_size(shard);
  std::mt19937_64 random{3};
  for (int round = 0; round < 12; ++round) {
    const std::uint64_t at = round < 6 ? random() % 2048 : random() % size;  // half of them in the metadata
    testing::flip_byte(shard, at);
    const VerifyReport report = verify_run(run.layout);
    EXPECT_THAT(report.problems, Contains(HasSubstr(std::string{first_shard} + ": its bytes are not the ones"))) << at;
    EXPECT_THAT(report.bad_shards, ElementsAre(first_shard));
    EXPECT_NE(report.digest, run.totals.digest);
    EXPECT_EQ(report.done, 3U);
    testing::flip_byte(shard, at);
  }
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

TEST(Verify, FindsADamagedSealOfASoundShard) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto shard = run.layout.shard(first_shard);
  for (const std::uint64_t from_end : {1U, 16U, 17U, 32U}) {
    testing::flip_byte(shard, std::filesystem::file_size(shard) - from_end);
    EXPECT_THAT(verify_run(run.layout).bad_shards, ElementsAre(first_shard)) << from_end << " bytes before the end";
    testing::flip_byte(shard, std::filesystem::file_size(shard) - from_end);
  }
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

TEST(Verify, FindsEveryFlippedBitOfIndexAndIdentity) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  std::mt19937_64 random{4};
  for (const auto& path : {run.layout.index(), run.layout.identity(), run.layout.catalog(), run.layout.journal()}) {
    const auto size = std::filesystem::file_size(path);
    for (int round = 0; round < 8; ++round) {
      const std::uint64_t at = random() % size;
      testing::flip_byte(path, at);
      const VerifyReport report = verify_run(run.layout);
      EXPECT_THAT(report.bad_files, ElementsAre(path.filename().string())) << " at " << at;
      EXPECT_THAT(report.problems, Contains(HasSubstr(path.filename().string())));
      testing::flip_byte(path, at);
    }
  }
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

TEST(Verify, FindsAMissingOrShortenedShard) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto shard = run.layout.shard(second_shard);
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 1);
  EXPECT_THAT(verify_run(run.layout).problems, Contains(HasSubstr("sealed with")));
  std::filesystem::remove(shard);
  const VerifyReport report = verify_run(run.layout);
  EXPECT_THAT(report.problems, Contains(HasSubstr(std::string{second_shard} + ": the file is missing; its 5 rows")));
  EXPECT_THAT(report.problems,
              Contains(HasSubstr("4 of 7 items are neither done nor in quarantine: 1 (chapter 0/page-1.png), ")));
}

/// A folder whose journal commits a shard that is whole, but tells something untrue.
class Liar {
 public:
  explicit Liar(const std::filesystem::path& root) : layout{root} {
    std::filesystem::create_directories(layout.shards());
    replace_file(layout.identity(), "run_id: 1\n" + testing::catalog_line(testing::test_catalog(3)), Durable::no);
    write_catalog(layout.catalog(), testing::test_catalog(3));
  }
  VerifyReport verify_with(const std::function<void(ShardCommit&)>& change,
                           const std::vector<testing::TestBlock>& blocks) {
    std::vector<const testing::TestBlock*> pointers;
    for (const auto& block : blocks) {
      pointers.push_back(&block);
    }
    JournalState state;
    Journal journal = Journal::open(layout.journal(), state);
    journal.append(RunStart{.time = "t",
                            .items = 3,
                            .outputs = {{"page", DType::u8}},
                            .identity = read_text(layout.identity()),
                            .catalog_digest = testing::test_catalog(3).digest()},
                   state);
    ShardCommit commit = to_commit(testing::write_shard(layout, testing::shard_name(0), pointers));
    change(commit);
    journal.append(commit, state);
    journal.commit();
    return verify_run(layout);
  }
  RunLayout layout;
};

std::vector<testing::TestBlock> two_items() {
  return {testing::make_blocks(0, {{10, 10}})[0], testing::make_blocks(1, {{10, 12}})[0]};
}

TEST(Verify, FindsPixelsThatAreNotTheirRows) {
  const TempFolder folder;
  Liar liar{folder.path()};
  auto blocks = two_items();
  blocks[1].pixels[7] ^= std::byte{1};
  const VerifyReport report = liar.verify_with([](ShardCommit&) {}, blocks);
  EXPECT_THAT(report.problems, Contains(HasSubstr("the pixels of item 1 (chapter 0/page-1.png), output 0, block 0")));
  EXPECT_THAT(report.bad_shards, ElementsAre("e0001-r0001-000000.h5"));
}

TEST(Verify, FindsBlocksOfOneItemThatWereMadeFromTwoFiles) {
  const TempFolder folder;
  Liar liar{folder.path()};
  auto blocks = testing::make_blocks(1, {{2100, 40}});
  ASSERT_EQ(blocks.size(), 2U);
  blocks[1].row.input_xxh3 += 1;
  const VerifyReport report = liar.verify_with([](ShardCommit&) {}, blocks);
  EXPECT_THAT(report.problems, Contains(HasSubstr("item 1 (chapter 0/page-1.png) were made from different versions")));
}

TEST(Verify, FindsRowsThatTheJournalDoesNotKnow) {
  const TempFolder folder;
  Liar liar{folder.path()};
  const VerifyReport report = liar.verify_with([](ShardCommit& commit) { commit.ranges[0].items = 1; }, two_items());
  EXPECT_THAT(report.problems, Contains(HasSubstr("its 2 rows are not the 1 that the journal says")));
}

TEST(Verify, FindsRowsThatTheShardDoesNotHave) {
  const TempFolder folder;
  Liar liar{folder.path()};
  const VerifyReport report = liar.verify_with([](ShardCommit& commit) { commit.ranges[0].items = 3; }, two_items());
  EXPECT_THAT(report.problems, Contains(HasSubstr("its 2 rows are not the 3 that the journal says")));
}

TEST(Verify, FindsAWrongContentSum) {
  const TempFolder folder;
  Liar liar{folder.path()};
  const VerifyReport report = liar.verify_with([](ShardCommit& commit) { commit.content_sum.low += 1; }, two_items());
  EXPECT_THAT(report.problems, Contains(HasSubstr("the sum of its rows' digests")));
}

TEST(Verify, FindsAnIndexThatDisagrees) {
  const TempFolder folder;
  const SmallRun run{folder.path(), false};
  for (const char* column : {"/items/offset", "/items/digest_low", "/items/shard", "/blocks/row", "/paths/bytes"}) {
    std::uint64_t at = 0;
    {
      const hdf5::Id file = hdf5::open_file(run.layout.index());
      at = H5Dget_offset(hdf5::open_dataset(file.get(), column).get());
    }
    testing::flip_byte(run.layout.index(), at);
    EXPECT_THAT(verify_run(run.layout).problems, ElementsAre(HasSubstr("index.h5: it does not say what"))) << column;
    testing::flip_byte(run.layout.index(), at);
  }
  std::filesystem::remove(run.layout.index());
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty()) << "a run that goes on need not have one";
  const TempFolder second;
  const SmallRun ended{second.path()};
  std::filesystem::remove(ended.layout.index());
  EXPECT_THAT(verify_run(ended.layout).problems, ElementsAre(HasSubstr("index.h5 is missing")));
}

TEST(Verify, FindsACatalogThatIsNotTheOneOfTheJournalOrOfTheIdentity) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  Catalog other;
  other.add_root({.path = "in"});
  for (std::uint64_t id = 0; id < 7; ++id) {
    CatalogItem item = testing::test_catalog(7).item(ItemId{id});
    item.bytes += id == 3 ? 1 : 0;
    other.append(item);
  }
  std::filesystem::rename(run.layout.catalog(), folder.path() / "right");
  write_catalog(run.layout.catalog(), other, testing::test_catalog(7).digest());
  EXPECT_THAT(verify_run(run.layout).problems, Contains(HasSubstr("not the one that the run was last started with")));
  write_catalog(run.layout.catalog(), testing::test_catalog(7), other.digest());
  EXPECT_THAT(verify_run(run.layout).problems, Contains(HasSubstr("its bytes differ"))) << "another first catalog";
  // As a crash leaves it that comes after the journal's record of a catalog and before its renaming.
  std::filesystem::rename(folder.path() / "right", run.layout.next_catalog());
  write_catalog(run.layout.catalog(), testing::test_catalog(6));
  EXPECT_THAT(verify_run(run.layout).problems, IsEmpty());
}

TEST(Verify, FindsADamagedJournal) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  testing::flip_byte(run.layout.journal(), std::filesystem::file_size(run.layout.journal()) - 1);
  EXPECT_THAT(verify_run(run.layout).problems, Contains(HasSubstr("behind its 4 good records are damaged")));
}

TEST(Verify, TurnsAnythingThatIsMissingIntoAProblem) {
  for (const char* name : {"run.yaml", "catalog.h5", "journal"}) {
    const TempFolder folder;
    const SmallRun run{folder.path()};
    std::filesystem::remove(folder.path() / name);
    EXPECT_THAT(verify_run(run.layout).problems, Contains(HasSubstr(name))) << name;
  }
  const TempFolder empty;
  EXPECT_FALSE(verify_run(RunLayout{empty.path()}).problems.empty());
}

}  // namespace
}  // namespace pantile
