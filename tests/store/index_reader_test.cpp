#include "store/index_reader.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

#include "base/hdf5.hpp"
#include "store/fixture.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::SmallRun;
using testing::TempFolder;

TEST(Index, FindsEveryItem) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  IndexReader index_file{run.layout};
  EXPECT_EQ(index_file.items(), 7U);
  EXPECT_EQ(index_file.outputs(), (std::vector<OutputInfo>{{"page", DType::u8}}));
  EXPECT_EQ(index_file.totals(), run.totals);
  EXPECT_EQ(run.totals.done, 6U);
  EXPECT_EQ(run.totals.quarantined, 1U);
  for (std::uint64_t item = 0; item < run.items.size(); ++item) {
    SCOPED_TRACE("item " + std::to_string(item));
    const IndexedOutput found = index_file.find(ItemId{item}, OutputId{0});
    EXPECT_EQ(found.row.status, ItemStatus::done);
    EXPECT_EQ(found.row.extent, run.items[item].extent);
    EXPECT_EQ(found.row.channels, run.items[item].channels);
    EXPECT_EQ(found.path, "chapter " + std::to_string(item / 4) + "/page-" + std::to_string(item) + ".png");
    EXPECT_EQ(index_file.find(found.path), std::vector<ItemId>{ItemId{item}});
    const ItemPixels pixels = index_file.read_pixels(ItemId{item}, OutputId{0});
    EXPECT_EQ(pixels.extent, run.items[item].extent);
    EXPECT_EQ(pixels.channels, run.items[item].channels);
    EXPECT_EQ(pixels.dtype, DType::u8);
    EXPECT_TRUE(pixels.values == testing::item_pixels(item, run.items[item]));
  }
  EXPECT_EQ(index_file.find(ItemId{0}, OutputId{0}).shard, "e0001-r0001-000000.h5");
  EXPECT_EQ(index_file.find(ItemId{0}, OutputId{0}).row.row, 1U);
  EXPECT_EQ(index_file.find(ItemId{SmallRun::big_item}, OutputId{0}).row.blocks, 4U);
  EXPECT_EQ(index_file.find(ItemId{SmallRun::big_item}, OutputId{0}).shard, "");
  EXPECT_EQ(index_file.blocks(ItemId{SmallRun::big_item}, OutputId{0}).size(), 4U);
  EXPECT_TRUE(index_file.find("no such path").empty());
}

TEST(Index, TellsWhyAnItemHasNoPixels) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  IndexReader index_file{run.layout};
  EXPECT_FALSE(index_file.quarantine(ItemId{0}));
  const auto why = index_file.quarantine(ItemId{SmallRun::bad_item});
  ASSERT_TRUE(why);
  EXPECT_EQ(why->failure, (Failure{Fault::truncated, "JPEG ends after 12 of 40 rows"}));
  EXPECT_EQ(index_file.find(ItemId{SmallRun::bad_item}, OutputId{0}).row.fault, Fault::truncated);
  try {
    static_cast<void>(index_file.read_pixels(ItemId{SmallRun::bad_item}, OutputId{0}));
    ADD_FAILURE() << "it has none";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("page-6.png) is quarantined"));
  }
}

TEST(Index, NeverGivesAFillValueInPlaceOfAPixel) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  std::filesystem::remove(run.layout.shard("e0001-r0002-000000.h5"));
  IndexReader index_file{run.layout};
  EXPECT_EQ(index_file.read_pixels(ItemId{0}, OutputId{0}).values, testing::item_pixels(0, run.items[0]));
  for (const std::uint64_t item : {std::uint64_t{1}, SmallRun::big_item}) {
    try {
      static_cast<void>(index_file.read_pixels(ItemId{item}, OutputId{0}));
      ADD_FAILURE() << "item " << item << " was read from a shard that is not there";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("e0001-r0002-000000.h5 is missing"));
    }
  }
}

TEST(Index, ReadsNoDamagedPixels) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto shard = run.layout.shard("e0001-r0001-000000.h5");
  const Bytes bytes = read_file(shard);
  const Bytes pixels = testing::item_pixels(3, run.items[3]);
  const auto at = std::search(bytes.begin(), bytes.end(), pixels.begin(), pixels.begin() + 64) - bytes.begin();
  ASSERT_LT(static_cast<std::size_t>(at), bytes.size());
  testing::flip_byte(shard, static_cast<std::uint64_t>(at) + 1000);
  IndexReader index_file{run.layout};
  EXPECT_THROW(static_cast<void>(index_file.read_pixels(ItemId{3}, OutputId{0})), Error);
}

TEST(Index, IsNotWrittenOverByOneThatFails) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const Bytes before = read_file(run.layout.index());
  std::filesystem::remove(run.layout.shard("e0001-r0002-000000.h5"));
  EXPECT_THROW(write_index(run.layout, testing::test_catalog(7), run.state), Error);
  EXPECT_THROW(write_index(run.layout, testing::test_catalog(8), run.state), Error);
  EXPECT_TRUE(read_file(run.layout.index()) == before);
}

/// Writes over the first values of a column of an HDF5 file.
template <class T>
void overwrite(const std::filesystem::path& path, const std::string& column, const std::vector<T>& values) {
  hdf5::Id file = hdf5::own(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open " + path.string());
  hdf5::write_column_part(file.get(), column, std::span<const T>{values}, 0);
  hdf5::close_file(std::move(file), path);
}

void replace_attribute(const std::filesystem::path& path, const std::string& group, const char* name,
                       std::uint64_t value) {
  hdf5::Id file = hdf5::own(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open " + path.string());
  {
    const hdf5::Id object = hdf5::open_group(file.get(), group);
    hdf5::check(H5Adelete(object.get(), name), "delete");
    hdf5::write_attribute(object.get(), name, value);
  }
  hdf5::close_file(std::move(file), path);
}

/// What reading each pixel of the run says; empty if nothing is wrong.
std::string complaint_of_reading(const RunLayout& layout) {
  try {
    IndexReader reader{layout};
    for (std::uint64_t item = 0; item < 6; ++item) {
      static_cast<void>(reader.read_pixels(ItemId{item}, OutputId{0}));
    }
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// Found by fuzzing: each of these ended the process, or took memory without bound. Whoever looks at the results of
// others reads an index that may say anything.
TEST(Index, ThatLiesIsRefused) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const Bytes sound = read_file(run.layout.index());
  ASSERT_EQ(complaint_of_reading(run.layout), "");
  const std::vector<std::uint32_t> large(4, 0xFFFFFFFF);
  const std::vector<std::uint32_t> ones(4, 1);
  const auto lie = [&](const std::string& column, const auto& values) {
    overwrite(run.layout.index(), column, values);
    std::string complaint = complaint_of_reading(run.layout);
    replace_file(run.layout.index(), {reinterpret_cast<const char*>(sound.data()), sound.size()}, Durable::no);
    return complaint;
  };
  EXPECT_THAT(lie("items/height", large), HasSubstr("makes no sense"));
  EXPECT_THAT(lie("items/blocks", large), HasSubstr("makes no sense"));
  EXPECT_THAT(lie("items/height", std::vector<std::uint32_t>(6, 2000)), HasSubstr("the column bytes has"));
  EXPECT_THAT(lie("items/channels", std::vector<std::uint16_t>(6, 0)), HasSubstr("makes no sense"));
  EXPECT_THAT(lie("items/channels", std::vector<std::uint16_t>(6, 0xFFFF)), HasSubstr("larger than the file"));
  EXPECT_THAT(lie("items/shard", std::vector<std::uint32_t>(6, 7)), HasSubstr("it names shard 7 of 2"));
  EXPECT_THAT(lie("items/offset", std::vector<std::uint64_t>(6, ~std::uint64_t{1})), HasSubstr("the column bytes has"));
  EXPECT_THAT(lie("blocks/y", ones), HasSubstr("is none of its blocks"));
  EXPECT_THAT(lie("blocks/width", large), HasSubstr("is none of its blocks"));
  EXPECT_THAT(lie("blocks/block", large), HasSubstr("is none of its blocks"));
  EXPECT_EQ(complaint_of_reading(run.layout), "");
  replace_attribute(run.layout.index(), "/", "items", std::uint64_t{1} << 40U);
  EXPECT_THAT(complaint_of_reading(run.layout), HasSubstr("it has fewer items than it says"));
}

// Names of shards become paths.
TEST(Index, NamesNoFileThatIsNoShard) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  hdf5::Id file = hdf5::own(H5Fopen(run.layout.index().c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open the index");
  hdf5::check(H5Ldelete(file.get(), "shards/name", H5P_DEFAULT), "delete");
  hdf5::write_strings(file.get(), "shards/name",
                      std::vector<std::string>{"../../elsewhere/e0001-r0001-000000.h5", "x"});
  hdf5::close_file(std::move(file), run.layout.index());
  EXPECT_THAT(complaint_of_reading(run.layout), HasSubstr("which is no name of one"));
}

/// Deletes something from an HDF5 file, and lets `make` put something else in its place.
template <class Make>
void replace_object(const std::filesystem::path& path, const std::string& name, Make make) {
  hdf5::Id file = hdf5::own(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open " + path.string());
  hdf5::check(H5Ldelete(file.get(), name.c_str(), H5P_DEFAULT), "delete " + name);
  make(file.get());
  hdf5::close_file(std::move(file), path);
}

// A file of results that someone else made must not say what other files are read.
TEST(Index, LeadsToNoOtherFile) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto path = run.layout.index();
  const Bytes sound = read_file(path);
  const auto complaint = [&] {
    std::string text = complaint_of_reading(run.layout);
    replace_file(path, {reinterpret_cast<const char*>(sound.data()), sound.size()}, Durable::no);
    return text;
  };
  const auto other = folder.path() / "other.h5";
  std::filesystem::copy_file(path, other);
  replace_object(path, "items", [&](hid_t file) {
    hdf5::check(H5Lcreate_external(other.c_str(), "/items", file, "items", H5P_DEFAULT, H5P_DEFAULT), "link");
  });
  EXPECT_THAT(complaint(), HasSubstr("HDF5 cannot look for items/"));
  replace_object(path, "paths/bytes", [&](hid_t file) {
    hdf5::check(H5Lcreate_external(other.c_str(), "/paths/bytes", file, "paths/bytes", H5P_DEFAULT, H5P_DEFAULT),
                "link");
  });
  EXPECT_THAT(complaint(), HasSubstr("paths/bytes leads to another file"));
  replace_object(path, "paths/bytes", [&](hid_t file) {
    const hdf5::Id layout = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), "make a property list");
    const hsize_t size = 400;
    hdf5::check(H5Pset_external(layout.get(), other.c_str(), 0, size), "name a file of values");
    const hdf5::Id space = hdf5::make_space({&size, 1});
    static_cast<void>(hdf5::own(
        H5Dcreate2(file, "paths/bytes", H5T_STD_U8LE, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT), "create"));
  });
  EXPECT_THAT(complaint(), HasSubstr("paths/bytes leads to another file"));
  replace_object(path, "paths/bytes", [&](hid_t file) {
    const hdf5::Id layout = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), "make a property list");
    const hsize_t size = 100;
    const hdf5::Id space = hdf5::make_space({&size, 1});
    hdf5::check(H5Pset_virtual(layout.get(), space.get(), other.c_str(), "/paths/bytes", space.get()), "map");
    static_cast<void>(hdf5::own(
        H5Dcreate2(file, "paths/bytes", H5T_STD_U8LE, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT), "create"));
  });
  EXPECT_THAT(complaint(), HasSubstr("paths/bytes leads to another file"));
  EXPECT_EQ(complaint(), "");
}

TEST(Index, OfAShardThatLiesIsNotMade) {
  const TempFolder folder;
  const SmallRun run{folder.path()};
  const auto shard = run.layout.shard("e0001-r0001-000000.h5");
  const Bytes sound = read_file(shard);
  const auto complaint = [&] {
    std::string text;
    try {
      write_index(run.layout, testing::test_catalog(7), run.state);
    } catch (const Error& error) {
      text = error.what();
    }
    replace_file(shard, {reinterpret_cast<const char*>(sound.data()), sound.size()}, Durable::no);
    return text;
  };
  EXPECT_EQ(complaint(), "");
  replace_attribute(shard, "/", "rows", std::uint64_t{1} << 50U);
  EXPECT_THAT(complaint(), HasSubstr("rows (expected 1125899906842624)"));
  overwrite(shard, "index/item_height", std::vector<std::uint32_t>(4, 0x7FFFFFFF));
  EXPECT_THAT(complaint(), HasSubstr("no block of its item"));
  overwrite(shard, "index/channels", std::vector<std::uint32_t>(4, 0x7FFFFFFF));
  EXPECT_THAT(complaint(), HasSubstr("no block of its item"));
}

TEST(Index, OfAnUnfinishedRunSaysWhatIsPending) {
  const TempFolder folder;
  const RunLayout layout{folder.path()};
  std::filesystem::create_directories(layout.shards());
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state);
  journal.append(RunStart{.time = "t", .items = 3, .outputs = {{"page", DType::u8}, {"mask", DType::u8}}}, state);
  const auto page = testing::make_blocks(0, {{10, 10}});
  const auto mask = testing::make_blocks(0, {{10, 10}, 1}, DType::u8, OutputId{1});
  const auto big = testing::make_blocks(1, {{3000, 20}, 1});
  const auto lone = testing::make_blocks(2, {{5, 5}});
  journal.append(to_commit(testing::write_shard(layout, testing::shard_name(0), {&page[0], &mask[0], &big[1], &lone[0]},
                                                testing::test_facts(state.outputs()))),
                 state);
  const RunTotals totals = write_index(layout, testing::test_catalog(3), state);
  EXPECT_EQ(totals.done, 1U);
  Hash128 expected = page[0].row.digest;
  expected += mask[0].row.digest;
  EXPECT_EQ(totals.digest, expected) << "items that are begun do not count";
  IndexReader index_file{layout};
  EXPECT_EQ(index_file.find(ItemId{1}, OutputId{0}).row.status, ItemStatus::pending);
  EXPECT_EQ(index_file.find(ItemId{2}, OutputId{0}).row.status, ItemStatus::pending) << "its second output is missing";
  EXPECT_EQ(index_file.read_pixels(ItemId{0}, OutputId{1}).channels, 1);
  EXPECT_THROW(static_cast<void>(index_file.read_pixels(ItemId{1}, OutputId{0})), Error);
}

// docs/output-format.md promises that plain h5py is enough: its own example reads this run, value for value.
TEST(Index, AndShardsAreReadByPlainH5py) {
  const char* python = std::getenv("PANTILE_PYTHON");
  if (python == nullptr || *python == '\0') {
    GTEST_SKIP() << "PANTILE_PYTHON names no interpreter with h5py and numpy";
  }
  const TempFolder folder;
  const auto root = folder.path() / "run";
  const SmallRun run{root};
  const auto raw = folder.path() / "expected";
  std::filesystem::create_directory(raw);
  for (std::uint64_t item = 0; item < run.items.size(); ++item) {
    const Bytes pixels = testing::item_pixels(item, run.items[item]);
    replace_file(raw / (std::to_string(item) + ".raw"), {reinterpret_cast<const char*>(pixels.data()), pixels.size()},
                 Durable::no);
  }
  const std::filesystem::path tests = std::filesystem::path{__FILE__}.parent_path().parent_path();
  const std::string command = "'" + std::string{python} + "' '" + (tests / "python" / "read_run_folder.py").string() +
                              "' '" + root.string() + "' '" + raw.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace pantile
