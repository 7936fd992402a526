#include "store/shard_writer.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>

#include "base/hdf5.hpp"
#include "store/file_seal.hpp"
#include "store/fixture.hpp"
#include "store/shard_reader.hpp"

#ifdef __SANITIZE_ADDRESS__
// HDF5 1.10 loses a few kilobytes of its own when a flush fails; FullDisk makes it fail.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5_serial.so\n"; }
#endif

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::make_blocks;
using testing::shard_name;
using testing::TempFolder;
using testing::test_facts;
using testing::TestBlock;

RunLayout layout_in(const std::filesystem::path& root) {
  std::filesystem::create_directories(root / "shards");
  return {root};
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{folder}, {}));
}

void expect_same(const BlockRow& read, const BlockRow& written) {
  EXPECT_EQ(read.key, written.key);
  EXPECT_EQ(read.attempt, written.attempt);
  EXPECT_EQ(read.item_extent, written.item_extent);
  EXPECT_EQ(read.rect, written.rect);
  EXPECT_EQ(read.channels, written.channels);
  EXPECT_EQ(read.dtype, written.dtype);
  EXPECT_EQ(read.digest, written.digest);
  EXPECT_EQ(read.input_xxh3, written.input_xxh3);
  EXPECT_EQ(read.tile, written.tile);
  EXPECT_EQ(read.device_class, written.device_class);
  EXPECT_EQ(read.milliseconds, written.milliseconds);
  EXPECT_EQ(read.peak_bytes, written.peak_bytes);
}

/// Ragged items of many sizes around the 256 KiB chunk, and two of several blocks, of every type.
std::vector<TestBlock> many_blocks() {
  const testing::TestItem items[] = {{{1, 1}, 1},     {{512, 512}, 1},  {{300, 517}, 3},  {{7, 2048}, 4},
                                     {{2048, 64}, 2}, {{5000, 300}, 1}, {{100, 2100}, 3}, {{2049, 2049}, 1}};
  std::vector<TestBlock> all;
  for (std::uint16_t output = 0; output < 4; ++output) {
    const DType dtype = std::array{DType::u8, DType::u16, DType::f16, DType::f32}[output];
    std::uint64_t id = 0;
    for (const auto& item : items) {
      for (TestBlock& block : make_blocks(id++, item, dtype, OutputId{output})) {
        block.row.attempt = 1 + output;
        block.row.device_class = output % 2 == 0 ? "cpu:avx512" : "cuda:sm90";
        all.push_back(std::move(block));
      }
    }
  }
  return all;
}

const std::vector<OutputInfo> four_outputs{
    {"page", DType::u8}, {"deep", DType::u16}, {"half", DType::f16}, {"f", DType::f32}};

TEST(Shard, GivesBackEveryRowAndPixel) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const std::int64_t open_before = hdf5::open_ids();  // those of condemned files stay
  const std::vector<TestBlock> blocks = many_blocks();
  std::vector<const TestBlock*> order;
  for (const TestBlock& block : blocks) {
    order.push_back(&block);
  }
  std::reverse(order.begin(), order.end());
  const SealedShard sealed = testing::write_shard(layout, shard_name(42, 3, 17), order, test_facts(four_outputs));
  EXPECT_EQ(hdf5::open_ids(), open_before);

  EXPECT_EQ(sealed.name, "e0003-r0017-000042.h5");
  EXPECT_EQ(files_in(layout.shards()), 1U) << "the partial became the shard";
  const File file = open_file(layout.shard(sealed.name), O_RDONLY);
  const SealCheck seal = check_seal(layout.shard(sealed.name));
  EXPECT_TRUE(seal.holds);
  EXPECT_EQ(seal.found, (FileHash{sealed.hash, sealed.bytes}));
  EXPECT_EQ(hash_file(*real_disk().open(layout.shard(sealed.name), Access::read), {}, sealed.bytes - seal_bytes).hash,
            sealed.hash);
  EXPECT_EQ(std::filesystem::file_size(layout.shard(sealed.name)), sealed.bytes);

  const ShardReader reader{layout.shard(sealed.name)};
  EXPECT_EQ(reader.outputs(), four_outputs);
  const auto rows = reader.rows();
  ASSERT_EQ(rows.size(), blocks.size());
  ASSERT_EQ(sealed.rows.size(), blocks.size());
  Hash128 sum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    expect_same(rows[i].row, order[i]->row);
    expect_same(sealed.rows[i], order[i]->row);
    EXPECT_TRUE(reader.read(rows[i]) == order[i]->pixels);
    sum += rows[i].row.digest;
  }
  EXPECT_EQ(sealed.content_sum, sum);
}

TEST(Shard, CanBeReadByHdf5Of2008) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const std::vector<TestBlock> blocks = many_blocks();
  const SealedShard sealed = testing::write_shard(layout, shard_name(0), {&blocks[0], &blocks[5]});
  const Bytes bytes = read_file(layout.shard(sealed.name));
  EXPECT_EQ(bytes.at(8), std::byte{0}) << "version of the superblock: 2 came with 1.8, 3 with 1.10 and SWMR";
}

TEST(Shard, KnowsWhereItComesFrom) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const auto blocks = make_blocks(0, {{10, 10}});
  ShardFacts facts = test_facts();
  facts.config = std::string(100'000, '#');
  const SealedShard sealed = testing::write_shard(layout, shard_name(5, 2, 3), {&blocks[0]}, facts);
  const hdf5::Id file = hdf5::open_file(layout.shard(sealed.name));
  EXPECT_EQ(hdf5::read_number_attribute(file.get(), "epoch"), 2U);
  EXPECT_EQ(hdf5::read_number_attribute(file.get(), "rank"), 3U);
  EXPECT_EQ(hdf5::read_number_attribute(file.get(), "counter"), 5U);
  EXPECT_EQ(hdf5::read_number_attribute(file.get(), "rows"), 1U);
  EXPECT_EQ(hdf5::read_number_attribute(file.get(), "sealed"), 1U);
  EXPECT_EQ(hdf5::read_text_attribute(file.get(), "run_id"), facts.run_id);
  EXPECT_EQ(hdf5::read_text_attribute(file.get(), "binary"), facts.binary);
  EXPECT_EQ(hdf5::read_text_attribute(file.get(), "models"), R"({"models/up.onnx":"00ff"})");
  EXPECT_EQ(hdf5::read_text_attribute(file.get(), "content_sum"), to_string(blocks[0].row.digest));
  EXPECT_TRUE(hdf5::exists(file.get(), "config")) << "a long config is a dataset";
}

TEST(Shard, LeavesOutRowsThatAreNotWanted) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  std::vector<TestBlock> blocks;
  for (std::uint64_t item = 0; item < 5; ++item) {
    blocks.push_back(make_blocks(item, {{20, 30 + static_cast<int>(item)}})[0]);
  }
  ShardWriter writer{layout, shard_name(0), test_facts()};
  for (const TestBlock& block : blocks) {
    writer.append(block.row, block.pixels);
  }
  writer.append(blocks[1].row,
                blocks[2].pixels.size() == blocks[1].pixels.size() ? blocks[2].pixels : blocks[1].pixels);
  ASSERT_EQ(writer.rows().size(), 5U) << "a block that is there already is left alone";
  const auto sealed = writer.seal({true, false, true, false, true});
  ASSERT_TRUE(sealed);
  const ShardReader reader{layout.shard(sealed->name)};
  const auto rows = reader.rows();
  ASSERT_EQ(rows.size(), 3U);
  Hash128 sum;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(index(rows[i].row.key.item), 2 * i);
    EXPECT_TRUE(reader.read(rows[i]) == blocks[2 * i].pixels);
    sum += blocks[2 * i].row.digest;
  }
  EXPECT_EQ(sealed->content_sum, sum);
  EXPECT_EQ(to_commit(*sealed).ranges.size(), 3U);
}

TEST(Shard, OfNoWantedRowsNeverHappened) {
  const std::int64_t open_before = hdf5::open_ids();
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const auto blocks = make_blocks(0, {{10, 10}});
  {
    ShardWriter writer{layout, shard_name(0), test_facts()};
    writer.append(blocks[0].row, blocks[0].pixels);
    EXPECT_EQ(writer.bytes_so_far(), 300U);
    EXPECT_FALSE(writer.seal({false}));
    EXPECT_EQ(files_in(layout.shards()), 0U);
  }
  {
    ShardWriter dropped{layout, shard_name(1), test_facts()};
    dropped.append(blocks[0].row, blocks[0].pixels);
    EXPECT_EQ(files_in(layout.shards()), 1U);
  }
  EXPECT_EQ(files_in(layout.shards()), 0U);
  EXPECT_EQ(hdf5::open_ids(), open_before);
}

TEST(Shard, IsNeverWrittenOver) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const auto blocks = make_blocks(0, {{10, 10}});
  testing::write_shard(layout, shard_name(0), {&blocks[0]});
  EXPECT_THROW((ShardWriter{layout, shard_name(0), test_facts()}), Error);
}

/// Appends blocks until something breaks; what is left on disk must be nothing.
void expect_condemned(const RunLayout& layout, const std::vector<TestBlock>& blocks) {
  std::string message = "no error";
  try {
    ShardWriter writer{layout, shard_name(7), test_facts()};
    for (const TestBlock& block : blocks) {
      writer.append(block.row, block.pixels);
    }
    static_cast<void>(writer.seal(std::vector<bool>(blocks.size(), true)));
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("HDF5 cannot"));
  EXPECT_EQ(files_in(layout.shards()), 0U) << "a partial that failed is gone, and is no shard";
}

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::uint64_t item = 0; item < 20; ++item) {
      ragged_.push_back(make_blocks(item, {{200, 300}})[0]);  // 3.6 MB in all
    }
    large_ = make_blocks(99, {{2100, 2100}, 1});  // 4.4 MB
  }
  TempFolder folder_;
  std::vector<TestBlock> ragged_;
  std::vector<TestBlock> large_;
};

TEST_F(FullDisk, CondemnsThePartialWhereverItHits) {
  const RunLayout layout = layout_in(folder_.path());
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  for (const rlim_t limit : {rlim_t{0}, rlim_t{50}, rlim_t{1'000}, rlim_t{3'000}, rlim_t{200'000}, rlim_t{1'000'000},
                             rlim_t{3'500'000}, rlim_t{3'670'100}}) {
    SCOPED_TRACE("limit " + std::to_string(limit));
    const rlimit small{limit, old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_condemned(layout, ragged_);
    expect_condemned(layout, large_);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  }
  std::signal(SIGXFSZ, before);
  // The process is still fit to write the next one.
  const SealedShard sealed = testing::write_shard(layout, shard_name(7), {&ragged_[0], &large_[3]});
  EXPECT_EQ(ShardReader{layout.shard(sealed.name)}.rows().size(), 2U);
}

TEST_F(FullDisk, GivesItsSpaceBackAndKeepsSealedShards) {
  const auto disk = folder_.path() / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=3m") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs root";
  }
  const RunLayout layout = layout_in(disk);
  const SealedShard first = testing::write_shard(layout, shard_name(0), {&ragged_[0]});
  EXPECT_THROW(testing::write_shard(layout, shard_name(1), {&ragged_[0], &large_[0], &large_[1]}), Error);
  EXPECT_EQ(files_in(layout.shards()), 1U);
  EXPECT_GT(std::filesystem::space(disk).available, 2'000'000U) << "HDF5 still holds the file open, but it is empty";
  {
    const ShardReader reader{layout.shard(first.name)};
    EXPECT_TRUE(reader.read(reader.rows()[0]) == ragged_[0].pixels);
  }
  testing::write_shard(layout, shard_name(2), {&ragged_[1], &ragged_[2]});
  ::umount2(disk.c_str(), MNT_DETACH);
}

TEST(Shard, ThatIsNoneIsRefused) {
  const TempFolder folder;
  const auto path = folder.path() / "e0001-r0001-000000.h5";
  EXPECT_THROW(ShardReader{path}, Error);
  replace_file(path, "not HDF5", Durable::no);
  EXPECT_THROW(ShardReader{path}, Error);
  hdf5::replace_file(path, [](hid_t file) { hdf5::write_attribute(file, "format_version", 1); });
  try {
    ShardReader{path};
    ADD_FAILURE() << "an unsealed file was read";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("e0001-r0001-000000.h5"), HasSubstr("never sealed")));
  }
}

TEST(ShardDeath, RefusesPixelsThatDoNotFitTheirRow) {
  const TempFolder folder;
  const RunLayout layout = layout_in(folder.path());
  const auto blocks = make_blocks(0, {{10, 10}});
  ShardWriter writer{layout, shard_name(0), test_facts()};
  EXPECT_DEATH(writer.append(blocks[0].row, std::span{blocks[0].pixels}.first(299)), "a block has all of its pixels");
  BlockRow elsewhere = blocks[0].row;
  elsewhere.rect.x = 1;
  EXPECT_DEATH(writer.append(elsewhere, blocks[0].pixels), "cell of its item's block grid");
}

}  // namespace
}  // namespace pantile
