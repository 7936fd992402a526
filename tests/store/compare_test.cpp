#include "store/compare.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "store/fixture.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallRun;
using testing::TempFolder;

template <class T>
PixelDifference between(const std::vector<T>& one, const std::vector<T>& other, DType dtype, int channels = 1) {
  return difference_of(std::as_bytes(std::span{one}), std::as_bytes(std::span{other}), dtype, channels);
}

TEST(DifferenceOf, CountsPixelsAndFindsTheLargestInLevelsOf8Bits) {
  const PixelDifference bytes =
      between<std::uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 9, 0, 7, 8, 10}, DType::u8, 3);
  EXPECT_EQ(bytes.pixels, 2U);
  EXPECT_EQ(bytes.of_pixels, 3U);
  EXPECT_EQ(bytes.largest, 6);
  EXPECT_EQ(between<std::uint8_t>({0, 255}, {255, 0}, DType::u8).largest, 255);
  EXPECT_EQ(between<std::uint16_t>({0, 514}, {0, 0}, DType::u16).largest, 2);
  EXPECT_FLOAT_EQ(static_cast<float>(between<float>({0.5F, 1}, {0.5F, 0}, DType::f32).largest), 255);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(between<float>({nan, 1}, {nan, 1}, DType::f32).pixels, 0U);
  EXPECT_EQ(between<float>({nan, 1}, {0, 1}, DType::f32).largest, std::numeric_limits<double>::infinity());
  EXPECT_EQ(between<std::uint8_t>({}, {}, DType::u8).pixels, 0U);
}

TEST(CompareRuns, FindsEqualRunsEqual) {
  const TempFolder folder;
  const SmallRun one{folder.path() / "one"};
  const SmallRun other{folder.path() / "other"};
  const Comparison found = compare_runs(one.layout, other.layout, 0);
  EXPECT_TRUE(found.same());
  EXPECT_EQ(found.equal, 6U);
  EXPECT_EQ(found.neither, 1U) << "the one in quarantine";
}

/// A finished run of small items, each of one colour; `names` are their paths in two inputs, in the order of the runs.
RunLayout flat_run(const std::filesystem::path& root, const std::vector<std::pair<std::string, int>>& items,
                   const std::string& device_class) {
  const RunLayout layout{root};
  RunFolder folder = RunFolder::open(root);
  Catalog catalog;
  catalog.add_root({.path = "in"});
  catalog.add_root({.path = "more"});
  std::vector<testing::TestBlock> blocks;
  for (const auto& [path, level] : items) {
    CatalogItem item;
    item.root = path.starts_with("more/") ? 1 : 0;
    item.path = path;
    item.extent = {4, 4};
    const ItemId id = catalog.append(item);
    testing::TestBlock block = testing::make_blocks(index(id), {{8, 8}, 1})[0];
    block.pixels.assign(block.pixels.size(), static_cast<std::byte>(level));
    block.row.digest = block_digest(id, OutputId{0}, DType::u8, block.row.rect, 1, block.pixels);
    block.row.device_class = device_class;
    blocks.push_back(block);
  }
  ShardFacts facts = testing::test_facts();
  facts.run_id = folder.claim_identity("class: " + device_class + "\n" + testing::catalog_line(catalog));
  write_catalog(layout.catalog(), catalog);
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state);
  journal.append(RunStart{.time = "t",
                          .items = catalog.size(),
                          .outputs = {{"page", DType::u8}},
                          .identity = read_text(layout.identity()),
                          .catalog_digest = catalog.digest()},
                 state);
  std::vector<const testing::TestBlock*> pointers;
  for (const auto& block : blocks) {
    pointers.push_back(&block);
  }
  journal.append(to_commit(testing::write_shard(layout, testing::shard_name(0), pointers, facts)), state);
  const RunTotals totals = write_index(layout, catalog, state);
  journal.append(RunEnd{totals.digest, hash_of(layout.index())}, state);
  journal.commit();
  return layout;
}

TEST(CompareRuns, MatchesByInputAndPathWhereIdsDiffer) {
  const TempFolder folder;
  const RunLayout one = flat_run(folder.path() / "one", {{"a", 10}, {"b", 20}, {"c", 30}, {"more/a", 40}}, "cpu:x");
  const RunLayout other = flat_run(folder.path() / "other", {{"b", 20}, {"c", 33}, {"d", 50}, {"more/a", 41}}, "cpu:y");
  const Comparison found = compare_runs(one, other, 1);
  EXPECT_EQ(found.equal, 1U) << "b, although its digest has another id in it";
  EXPECT_EQ(found.within, 1U) << "more/a";
  EXPECT_EQ(found.only_here, 1U);
  EXPECT_EQ(found.only_there, 1U);
  ASSERT_EQ(found.items.size(), 1U);
  EXPECT_EQ(found.items[0].path, "c");
  EXPECT_EQ(found.items[0].what, "64 of 64 pixels differ, the most by 3 of 255");
  EXPECT_EQ(found.largest, 3);
  EXPECT_EQ(found.largest_path, "c");
  EXPECT_THAT(found.only, ElementsAre(HasSubstr("a: the other run has no such item"), HasSubstr("d: only the other")));
  EXPECT_THAT(found.classes[0], ElementsAre("cpu:x"));
  EXPECT_THAT(found.classes[1], ElementsAre("cpu:y"));
  EXPECT_THAT(found.settings, HasSubstr("- class: cpu:x\n"));
  EXPECT_FALSE(found.same());
}

TEST(CompareRuns, AllowsWhatTheToleranceSays) {
  const TempFolder folder;
  const RunLayout one = flat_run(folder.path() / "one", {{"a", 10}, {"b", 20}}, "cpu:x");
  const RunLayout other = flat_run(folder.path() / "other", {{"a", 10}, {"b", 18}}, "cpu:x");
  EXPECT_FALSE(compare_runs(one, other, 0).same());
  EXPECT_FALSE(compare_runs(one, other, 1.9).same());
  const Comparison within = compare_runs(one, other, 2);
  EXPECT_TRUE(within.same());
  EXPECT_EQ(within.equal, 1U);
  EXPECT_EQ(within.within, 1U);
  EXPECT_EQ(within.largest, 2);
}

}  // namespace
}  // namespace pantile
