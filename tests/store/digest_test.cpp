#include "store/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "store/fixture.hpp"

namespace pantile {
namespace {

using testing::make_blocks;
using testing::TestBlock;

Hash128 sum(const std::vector<TestBlock>& blocks) {
  Hash128 total;
  for (const TestBlock& block : blocks) {
    total += block.row.digest;
  }
  return total;
}

/// The definition in the header, written out: one record per cell.
Hash128 by_definition(std::uint64_t item, std::uint16_t output, const testing::TestItem& facts, const Bytes& image) {
  Hash128 total;
  for (int y = 0; y < facts.extent.height; y += 256) {
    for (int x = 0; x < facts.extent.width; x += 256) {
      const Rect cell{y, x, std::min(256, facts.extent.height - y), std::min(256, facts.extent.width - x)};
      Writer record;
      record.put(item).put(output).put(std::uint16_t{1});
      record.put(std::uint32_t(y / 256)).put(std::uint32_t(x / 256));
      record.put(std::uint32_t(cell.height)).put(std::uint32_t(cell.width));
      record.raw(testing::cut(image, facts.extent, static_cast<std::size_t>(facts.channels), cell));
      total += xxh3_128(record.bytes());
    }
  }
  return total;
}

// Computed with the Python package xxhash 3 from the text of docs/output-format.md, not with this code.
TEST(Digest, HasTheGoldenValuesOfTheFormat) {
  Bytes ramp(2 * 3 * 3);
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    ramp[i] = static_cast<std::byte>(i);
  }
  EXPECT_EQ(to_string(block_digest(ItemId{7}, OutputId{0}, DType::u8, {0, 0, 2, 3}, 3, ramp)),
            "6d4e67067edae1a2fac2c56e756874bf");
  EXPECT_EQ(to_string(block_digest(ItemId{7}, OutputId{1}, DType::u8, {2048, 4096, 2, 3}, 3, ramp)),
            "819136e4431249cc38342a20df0f0158");
  Bytes wide(static_cast<std::size_t>(300 * 517));
  for (std::size_t i = 0; i < wide.size(); ++i) {
    wide[i] = static_cast<std::byte>(i % 251);
  }
  EXPECT_EQ(to_string(block_digest(ItemId{123456789012}, OutputId{0}, DType::u8, {0, 0, 300, 517}, 1, wide)),
            "002bc0b9033691f9c75bca6c341775f8");
  EXPECT_EQ(to_string(quarantine_digest(ItemId{7}, Fault::truncated)), "009db0abdffa91bbc7d3e8ce8a1abd36");
}

TEST(Digest, OfAnItemDoesNotDependOnItsBlocks) {
  const testing::TestItem facts{{2100, 4200}, 1};
  const auto blocks = make_blocks(3, facts);
  ASSERT_EQ(blocks.size(), 6U);
  const Bytes image = testing::item_pixels(3, facts);
  EXPECT_EQ(sum(blocks), by_definition(3, 0, facts, image));
  EXPECT_EQ(sum(blocks), block_digest(ItemId{3}, OutputId{0}, DType::u8, whole(facts.extent), 1, image));
}

TEST(Digest, ChangesWithEveryFactAndEveryByte) {
  const testing::TestItem facts{{260, 270}, 3};
  const TestBlock block = make_blocks(3, facts)[0];
  const auto digest = [&](ItemId item, OutputId output, DType dtype, Rect rect, int channels, const Bytes& pixels) {
    return block_digest(item, output, dtype, rect, channels, pixels);
  };
  const Rect rect = block.row.rect;
  std::vector<Hash128> digests{
      digest(ItemId{3}, OutputId{0}, DType::u8, rect, 3, block.pixels),
      digest(ItemId{4}, OutputId{0}, DType::u8, rect, 3, block.pixels),
      digest(ItemId{3}, OutputId{1}, DType::u8, rect, 3, block.pixels),
      digest(ItemId{3}, OutputId{0}, DType::u8, {256, 0, 260, 270}, 3, block.pixels),
      digest(ItemId{3}, OutputId{0}, DType::u8, {0, 256, 260, 270}, 3, block.pixels),
      digest(ItemId{3}, OutputId{0}, DType::u8, {0, 0, 270, 260}, 3, block.pixels),
      digest(ItemId{3}, OutputId{0}, DType::u8, {0, 0, 260, 810}, 1, block.pixels),
  };
  Bytes halves = block.pixels;
  digests.push_back(digest(ItemId{3}, OutputId{0}, DType::u16, {0, 0, 130, 270}, 3, halves));
  std::mt19937 random{1};
  for (int i = 0; i < 50; ++i) {
    Bytes pixels = block.pixels;
    pixels[random() % pixels.size()] ^= std::byte{1};
    digests.push_back(digest(ItemId{3}, OutputId{0}, DType::u8, rect, 3, pixels));
    EXPECT_NE(digests.back(), digests.front());
  }
  std::sort(digests.begin(), digests.begin() + 8);
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.begin() + 8), digests.begin() + 8);
}

template <class Bits>
Bytes bytes_of(std::initializer_list<Bits> values) {
  Writer writer;
  for (const Bits value : values) {
    writer.put(value);
  }
  return writer.bytes();
}

TEST(Digest, TakesAllNaNsForTheSame) {
  const auto f32 = [](std::initializer_list<std::uint32_t> values) {
    return block_digest(ItemId{1}, OutputId{0}, DType::f32, {0, 0, 1, 3}, 1, bytes_of(values));
  };
  const std::uint32_t one = std::bit_cast<std::uint32_t>(1.0F);
  EXPECT_EQ(f32({one, 0x7fc00000U, one}), f32({one, 0xffc12345U, one}));
  EXPECT_EQ(f32({one, 0x7fc00000U, one}), f32({one, 0x7f800001U, one}));
  EXPECT_NE(f32({one, 0x7f800000U, one}), f32({one, 0x7fc00000U, one})) << "infinity is a value";
  EXPECT_NE(f32({one, 0x7f800000U, one}), f32({one, 0xff800000U, one})) << "so is its sign";
  EXPECT_NE(f32({one, 0x80000000U, one}), f32({one, 0, one})) << "floats count by their bits";
  const auto f16 = [](std::initializer_list<std::uint16_t> values) {
    return block_digest(ItemId{1}, OutputId{0}, DType::f16, {0, 0, 1, 2}, 1, bytes_of(values));
  };
  EXPECT_EQ(f16({0x3c00, 0x7e00}), f16({0x3c00, 0xfc01}));
  EXPECT_NE(f16({0x3c00, 0x7e00}), f16({0x3c00, 0x7c00}));
}

TEST(Digest, CountsAnItemInQuarantineOnlyIfItsBytesAreToBlame) {
  EXPECT_NE(quarantine_digest(ItemId{1}, Fault::truncated), Hash128{});
  EXPECT_NE(quarantine_digest(ItemId{1}, Fault::truncated), quarantine_digest(ItemId{1}, Fault::corrupt));
  EXPECT_NE(quarantine_digest(ItemId{1}, Fault::truncated), quarantine_digest(ItemId{2}, Fault::truncated));
  EXPECT_EQ(quarantine_digest(ItemId{1}, Fault::does_not_fit), Hash128{});
  EXPECT_EQ(quarantine_digest(ItemId{1}, Fault::crashed), Hash128{});
}

}  // namespace
}  // namespace pantile
