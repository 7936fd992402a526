#include "store/row_ranges.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pantile {
namespace {

BlockRow row(std::uint64_t item, Extent extent = {10, 10}, std::uint32_t block = 0, std::uint16_t output = 0) {
  BlockRow made;
  made.key = {ItemId{item}, OutputId{output}, BlockId{block}};
  made.item_extent = extent;
  return made;
}

TEST(RowRanges, MergeNeighboursWhateverTheirOrder) {
  const Extent big{5000, 5000};  // 3 × 3 blocks
  std::vector<BlockRow> rows{row(7),          row(9),          row(8),
                             row(4),          row(20, big, 3), row(20, big, 5),
                             row(20, big, 4), row(20, big, 8), row(3, {10, 10}, 0, 1)};
  const std::vector<RowRange> expected{
      {.output = OutputId{0}, .item = ItemId{4}, .items = 1},
      {.output = OutputId{0}, .item = ItemId{7}, .items = 3},
      {.output = OutputId{0}, .item = ItemId{20}, .block = BlockId{3}, .blocks = 3, .of_blocks = 9},
      {.output = OutputId{0}, .item = ItemId{20}, .block = BlockId{8}, .blocks = 1, .of_blocks = 9},
      {.output = OutputId{1}, .item = ItemId{3}, .items = 1},
  };
  std::mt19937 random{1};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(to_ranges(rows), expected);
    std::shuffle(rows.begin(), rows.end(), random);
  }
  EXPECT_EQ(decode_ranges(encode_ranges(expected)), expected);
}

TEST(RowRanges, KeepADoubledRowDoubled) {
  const auto ranges = to_ranges(std::vector<BlockRow>{row(7), row(7)});
  EXPECT_EQ(ranges.size(), 2U);
}

TEST(RowRanges, OfRandomRowsReadBack) {
  std::mt19937_64 random{2};
  for (int round = 0; round < 200; ++round) {
    std::vector<BlockRow> rows;
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t item = random() % (std::uint64_t{1} << (random() % 36 + 1));
      if (item % 3 == 0) {
        rows.push_back(row(item, {9000, 3000}, static_cast<std::uint32_t>(random() % 10), random() % 2));
      } else {
        rows.push_back(row(item, {10, 10}, 0, random() % 300));
      }
    }
    const auto ranges = to_ranges(rows);
    EXPECT_EQ(decode_ranges(encode_ranges(ranges)), ranges);
    std::uint64_t count = 0;
    for (const RowRange& range : ranges) {
      count += range.rows();
    }
    EXPECT_EQ(count, rows.size());
  }
}

TEST(RowRanges, TakeAboutFourBytesForALoneItem) {
  std::vector<BlockRow> rows;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    rows.push_back(row(3 * i));
  }
  EXPECT_LE(encode_ranges(to_ranges(rows)).size(), 4 * rows.size());
}

TEST(RowRanges, RefuseBytesThatAreNone) {
  const Bytes good = encode_ranges(to_ranges(std::vector<BlockRow>{row(300), row(500, {5000, 10}, 2)}));
  for (std::size_t length = 1; length < good.size(); ++length) {
    if (length != 5) {  // where the first range ends, it is a shorter list
      EXPECT_THROW(static_cast<void>(decode_ranges(std::span{good}.first(length))), WireError) << length;
    }
  }
  EXPECT_THROW(static_cast<void>(decode_ranges(Bytes(20, std::byte{0xff}))), WireError);
}

// Such a list would be no list that encode_ranges() makes, which ends the process over one.
TEST(RowRanges, RefuseAListThatIsNotInOrder) {
  const auto bytes = [](const std::vector<int>& values) {
    Bytes made;
    for (const int value : values) {
      made.push_back(static_cast<std::byte>(value));
    }
    return made;
  };
  EXPECT_EQ(decode_ranges(bytes({1, 7, 1, 1, 2, 7, 1, 1})).size(), 2U);
  EXPECT_THROW(static_cast<void>(decode_ranges(bytes({2, 7, 1, 1, 1, 7, 1, 1}))), WireError);  // outputs backwards
  const std::vector<int> last_item{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
  std::vector<int> around{0};
  around.insert(around.end(), last_item.begin(), last_item.end());
  around.insert(around.end(), {1, 1});
  EXPECT_EQ(decode_ranges(bytes(around)).size(), 1U);
  around.insert(around.end(), {0, 1, 1, 1});
  EXPECT_THROW(static_cast<void>(decode_ranges(bytes(around))), WireError);              // past the last number
  EXPECT_THROW(static_cast<void>(decode_ranges(bytes({0x80, 0, 7, 1, 1}))), WireError);  // a number in a longer form
}

}  // namespace
}  // namespace pantile
