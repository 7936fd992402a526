#include "store/catalog_file.hpp"

#include <gmock/gmock.h>

#include "base/hdf5.hpp"
#include "store/fixture.hpp"

namespace pantile {
namespace {

using testing::TempFolder;

Catalog odd_catalog() {
  Catalog catalog = testing::test_catalog(20);
  const std::uint16_t second = catalog.add_root(
      {.kind = RootKind::zip, .path = "/data/über.cbz", .dataset = "/a/b", .bytes = std::uint64_t{1} << 41U});
  CatalogItem bad;
  bad.path = "böse/kaputt.jpg";
  bad.root = second;
  bad.at = 77;
  bad.bytes = std::uint64_t{1} << 40U;
  bad.mtime_ns = -5;
  bad.fault = Fault::truncated;
  bad.detail = "JPEG ends within its header";
  catalog.append(bad);
  CatalogItem turned;
  turned.path = "t.jpg";
  turned.extent = {4000, 3000};
  turned.channels = 1;
  turned.bits = 16;
  turned.orientation = 6;
  turned.format = ImageFormat::jpeg;
  catalog.append(turned);
  bad.path = "z";
  bad.detail = "";
  catalog.append(bad);
  return catalog;
}

TEST(CatalogFile, ReadsBackEveryFact) {
  const std::int64_t open_before = hdf5::open_ids();
  const TempFolder folder;
  const auto path = folder.path() / "catalog.h5";
  const Catalog catalog = odd_catalog();
  write_catalog(path, catalog);
  const Catalog read = read_catalog(path);
  ASSERT_EQ(read.size(), catalog.size());
  EXPECT_EQ(read.roots(), catalog.roots());
  EXPECT_EQ(read.digest(), catalog.digest());
  for (std::uint64_t id = 0; id < catalog.size(); ++id) {
    EXPECT_EQ(read.item(ItemId{id}), catalog.item(ItemId{id})) << id;
  }
  EXPECT_EQ(hdf5::open_ids(), open_before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder.path()}, {}), 1) << "no temporary file is left";
}

TEST(CatalogFile, OfNoItemsReadsBack) {
  const TempFolder folder;
  write_catalog(folder.path() / "catalog.h5", Catalog{});
  EXPECT_EQ(read_catalog(folder.path() / "catalog.h5").size(), 0U);
}

// Only values are flipped here: HDF5 itself finds no damage in them.
TEST(CatalogFile, NoticesAChangedColumn) {
  const TempFolder folder;
  const auto path = folder.path() / "catalog.h5";
  for (const char* name : {"path_bytes", "path_offset", "height", "bytes", "mtime_ns", "fault_detail", "roots", "root",
                           "at", "root_kind", "root_bytes"}) {
    write_catalog(path, odd_catalog());
    std::uint64_t at = 0;
    {
      const hdf5::Id file = hdf5::open_file(path);
      at = H5Dget_offset(hdf5::open_dataset(file.get(), name).get());
    }
    testing::flip_byte(path, at);
    try {
      static_cast<void>(read_catalog(path));
      ADD_FAILURE() << name << " was changed, and nobody noticed";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("cannot read the catalog"));
    }
  }
}

TEST(CatalogFile, RefusesWhatIsNoCatalog) {
  const TempFolder folder;
  const auto path = folder.path() / "catalog.h5";
  EXPECT_THROW(static_cast<void>(read_catalog(path)), Error);
  hdf5::replace_file(path, [](hid_t file) { hdf5::write_attribute(file, "kind", "pantile index"); });
  EXPECT_THROW(static_cast<void>(read_catalog(path)), Error);
  hdf5::replace_file(path, [](hid_t file) {
    hdf5::write_attribute(file, "kind", "pantile catalog");
    hdf5::write_attribute(file, "format_version", 2);
  });
  try {
    static_cast<void>(read_catalog(path));
    ADD_FAILURE() << "a newer format was read";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("format version 2"));
  }
}

/// A run folder with one catalog, and one that is about to take its place.
struct Growing {
  Growing() {
    std::filesystem::create_directories(layout.root);
    write_catalog(layout.catalog(), old_one);
    write_catalog(layout.next_catalog(), new_one, old_one.digest());
  }
  TempFolder folder;
  RunLayout layout{folder.path() / "run"};
  Catalog old_one = testing::test_catalog(3);
  Catalog new_one = testing::test_catalog(5);
};

// A crash before or after the journal's record: the one that it names holds.
// Digests prove nothing of a file that someone else made.
TEST(CatalogFile, ThatLiesIsRefused) {
  const TempFolder folder;
  const auto path = folder.path() / "catalog.h5";
  const auto refuses = [&](const Catalog& catalog) {
    write_catalog(path, catalog);
    try {
      static_cast<void>(read_catalog(path));
    } catch (const Error& error) {
      return std::string_view{error.what()}.find("make no sense") != std::string_view::npos ||
             std::string_view{error.what()}.find("unknown kind") != std::string_view::npos;
    }
    return false;
  };
  const auto with = [](auto change) {
    CatalogItem item = testing::test_catalog(1).item(ItemId{0});
    change(item);
    Catalog catalog = testing::test_catalog(1);
    catalog.append(item);
    return catalog;
  };
  EXPECT_FALSE(refuses(with([](CatalogItem&) {})));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.extent = {-1, 5}; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.extent = {0, 5}; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.channels = 5; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.bits = 17; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.orientation = 9; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.format = ImageFormat{99}; })));
  EXPECT_TRUE(refuses(with([](CatalogItem& item) { item.fault = Fault{99}; })));
  Catalog foreign;
  foreign.add_root({.kind = RootKind{9}, .path = "in"});
  EXPECT_TRUE(refuses(foreign));
}

TEST(CatalogFile, TheJournalDecidesBetweenTheOldCatalogAndTheNext) {
  const Growing run;
  EXPECT_EQ(read_run_catalog(run.layout, run.old_one.digest()).catalog.size(), 3U);
  const StoredCatalog grown = read_run_catalog(run.layout, run.new_one.digest());
  EXPECT_EQ(grown.catalog.size(), 5U);
  EXPECT_EQ(grown.first_digest, run.old_one.digest()) << "the identity's";
}

TEST(CatalogFile, TheNextTakesTheOldOnesPlaceOnlyIfItHolds) {
  const Growing kept;
  adopt_next_catalog(kept.layout, kept.old_one.digest());
  EXPECT_FALSE(std::filesystem::exists(kept.layout.next_catalog()));
  EXPECT_EQ(read_catalog(kept.layout.catalog()).size(), 3U);
  const Growing taken;
  adopt_next_catalog(taken.layout, taken.new_one.digest());
  EXPECT_FALSE(std::filesystem::exists(taken.layout.next_catalog()));
  EXPECT_EQ(read_stored_catalog(taken.layout.catalog()).first_digest, taken.old_one.digest());
  adopt_next_catalog(taken.layout, taken.old_one.digest());
  EXPECT_EQ(read_catalog(taken.layout.catalog()).size(), 5U) << "there is no next: nothing happens";
}

// More items than are written at a time.
TEST(CatalogFile, ReadsBackManyItems) {
  const TempFolder folder;
  const Catalog many = testing::test_catalog(150'000);
  write_catalog(folder.path() / "catalog.h5", many);
  const Catalog read = read_catalog(folder.path() / "catalog.h5");
  EXPECT_EQ(read.digest(), many.digest());
  EXPECT_EQ(read.item(ItemId{149'999}), many.item(ItemId{149'999}));
}

}  // namespace
}  // namespace pantile
