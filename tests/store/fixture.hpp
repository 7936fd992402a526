#pragma once
// What the tests of the store share: a folder that goes away, items with pixels, a small run.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/records.hpp"
#include "base/temp_folder.hpp"
#include "image/block_grid.hpp"
#include "source/catalog.hpp"
#include "store/catalog_file.hpp"
#include "store/digest.hpp"
#include "store/file_hash.hpp"
#include "store/format.hpp"
#include "store/index_writer.hpp"
#include "store/journal_state.hpp"
#include "store/run_folder.hpp"
#include "store/shard_writer.hpp"

namespace pantile::testing {

struct TestItem {
  Extent extent;
  int channels = 3;
};

/// Value `c` of pixel (y, x): depends on all of them, so that a shifted or swapped pixel shows. Byte-wise.
inline std::byte pixel_byte(std::uint64_t item, std::size_t at) {
  std::uint64_t x = at + item * 0x9e3779b97f4a7c15ULL;
  x ^= x >> 33U;
  x *= 0xff51afd7ed558ccdULL;
  return static_cast<std::byte>(x >> 56U);
}

/// All values of an item's output, dense.
inline Bytes item_pixels(std::uint64_t item, const TestItem& facts, DType dtype = DType::u8) {
  Bytes bytes(static_cast<std::size_t>(facts.extent.area()) * static_cast<std::size_t>(facts.channels) *
              size_of(dtype));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = pixel_byte(item, i);
  }
  return bytes;
}

/// The part of a dense image that lies in `rect`.
inline Bytes cut(const Bytes& image, const Extent& extent, std::size_t pixel_bytes, const Rect& rect) {
  Bytes part;
  for (int y = rect.y; y < rect.bottom(); ++y) {
    const auto from =
        (static_cast<std::size_t>(y) * static_cast<std::size_t>(extent.width) + static_cast<std::size_t>(rect.x)) *
        pixel_bytes;
    const auto begin = image.begin() + static_cast<std::ptrdiff_t>(from);
    part.insert(part.end(), begin,
                begin + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(rect.width) * pixel_bytes));
  }
  return part;
}

struct TestBlock {
  BlockRow row;
  Bytes pixels;
};

/// All blocks of one output of an item, as an executor would hand them over.
inline std::vector<TestBlock> make_blocks(std::uint64_t item, const TestItem& facts, DType dtype = DType::u8,
                                          OutputId output = OutputId{0}) {
  const Bytes image = item_pixels(item, facts, dtype);
  const BlockGrid grid{facts.extent};
  std::vector<TestBlock> blocks(grid.size());
  for (std::uint32_t i = 0; i < grid.size(); ++i) {
    BlockRow& row = blocks[i].row;
    row.key = {ItemId{item}, output, BlockId{i}};
    row.item_extent = facts.extent;
    row.rect = grid.rect(row.key.block);
    row.channels = facts.channels;
    row.dtype = dtype;
    row.tile = {96, 128};
    row.device_class = "cpu:test";
    row.milliseconds = 12.5F;
    row.peak_bytes = 1'000'000 + item;
    row.input_xxh3 = 0x1234'5678'9abc'def0ULL + item;
    blocks[i].pixels = cut(image, facts.extent, static_cast<std::size_t>(facts.channels) * size_of(dtype), row.rect);
    row.digest = block_digest(row.key.item, output, dtype, row.rect, row.channels, blocks[i].pixels);
  }
  return blocks;
}

inline ShardFacts test_facts(std::vector<OutputInfo> outputs = {{"page", DType::u8}}) {
  return {.run_id = "0123456789abcdef0123456789abcdef",
          .config = "schema: 1\nname: test\n",
          .binary = "pantile test",
          .models = {{"models/up.onnx", "00ff"}},
          .outputs = std::move(outputs)};
}

inline ShardName shard_name(std::uint32_t counter, std::uint32_t epoch = 1, std::int32_t rank = 1) {
  return {.epoch = Epoch{epoch}, .rank = RankId{rank}, .counter = ShardId{counter}};
}

/// Writes one shard of whole blocks and seals it with all rows wanted.
inline SealedShard write_shard(const RunLayout& layout, const ShardName& name,
                               const std::vector<const TestBlock*>& blocks, ShardFacts facts = test_facts()) {
  ShardWriter writer{layout, name, std::move(facts)};
  for (const TestBlock* block : blocks) {
    writer.append(block->row, block->pixels);
  }
  auto sealed = writer.seal(std::vector<bool>(blocks.size(), true));
  EXPECT_TRUE(sealed.has_value());
  return sealed.value_or(SealedShard{});
}

inline Catalog test_catalog(std::size_t items) {
  Catalog catalog;
  catalog.add_root({.path = "in"});
  for (std::size_t i = 0; i < items; ++i) {
    CatalogItem item;
    item.path = "chapter " + std::to_string(i / 4) + "/page-" + std::to_string(i) + ".png";
    item.extent = {100 + static_cast<int>(i), 80};
    item.channels = 3;
    item.bits = 8;
    item.bytes = 1000 + i;
    item.mtime_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(i);
    item.format = ImageFormat::png;
    catalog.append(item);
  }
  return catalog;
}

/// What run.yaml says of a catalog.
inline std::string catalog_line(const Catalog& catalog) { return "catalog: " + to_string(catalog.digest()) + "\n"; }

inline void flip_byte(const std::filesystem::path& path, std::uint64_t at) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(static_cast<std::streamoff>(at));
  const char before = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(before ^ 0x10));
  if (!file) {
    throw Error{"the test cannot change " + path.string()};
  }
}

/// A finished run: five ragged items, one of 2×2 blocks spread over two shards, one in quarantine.
class SmallRun {
 public:
  static constexpr std::uint64_t big_item = 5;
  static constexpr std::uint64_t bad_item = 6;

  /// Without its end the journal does not say what index.h5 was.
  explicit SmallRun(const std::filesystem::path& root, bool ended = true)
      : layout{root}, items{{{40, 30}}, {{1, 1}, 1}, {{300, 517}}, {{256, 256}, 4}, {{7, 2048}, 1}, {{2100, 2300}, 1}} {
    RunFolder folder = RunFolder::open(root);
    run_id = folder.claim_identity("model: up.onnx\n" + catalog_line(test_catalog(7)));
    write_catalog(layout.catalog(), test_catalog(7));
    Journal journal = Journal::open(layout.journal(), state);
    journal.append(RunStart{.time = "2026-01-31T12:00:00Z",
                            .items = 7,
                            .outputs = {{"page", DType::u8}},
                            .plan = "p",
                            .identity = read_text(layout.identity()),
                            .catalog_digest = test_catalog(7).digest(),
                            .catalog = hash_of(layout.catalog())},
                   state);
    std::vector<std::vector<TestBlock>> blocks;
    for (std::uint64_t i = 0; i < items.size(); ++i) {
      blocks.push_back(make_blocks(i, items[i]));
    }
    commit(journal, write_shard(layout, shard_name(0), {&blocks[3][0], &blocks[0][0], &blocks[5][1], &blocks[5][2]},
                                facts_of_run()));
    commit(journal,
           write_shard(layout, shard_name(0, 1, 2),
                       {&blocks[1][0], &blocks[5][0], &blocks[5][3], &blocks[4][0], &blocks[2][0]}, facts_of_run()));
    journal.append(
        ItemQuarantined{
            .item = ItemId{bad_item}, .attempts = 1, .failure = {Fault::truncated, "JPEG ends after 12 of 40 rows"}},
        state);
    totals = write_index(layout, test_catalog(7), state);
    if (ended) {
      journal.append(RunEnd{totals.digest, hash_of(layout.index())}, state);
    }
    journal.commit();
  }

  [[nodiscard]] ShardFacts facts_of_run() const {
    ShardFacts facts = test_facts();
    facts.run_id = run_id;
    return facts;
  }

  RunLayout layout;
  std::string run_id;
  std::vector<TestItem> items;
  JournalState state;
  RunTotals totals;

 private:
  void commit(Journal& journal, const SealedShard& shard) {
    journal.append(to_commit(shard), state);
    journal.commit();
  }
};

}  // namespace pantile::testing
