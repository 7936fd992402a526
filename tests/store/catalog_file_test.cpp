#include "store/catalog_file.hpp"

#include <gmock/gmock.h>

#include "base/hdf5.hpp"
#include "store/fixture.hpp"

namespace pantile {
namespace {

using testing::TempFolder;

Catalog odd_catalog() {
  Catalog catalog = testing::test_catalog(20);
  const std::uint16_t second = catalog.add_root("/data/über");
  CatalogItem bad;
  bad.path = "böse/kaputt.jpg";
  bad.root = second;
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
  for (const char* name :
       {"path_bytes", "path_offset", "height", "bytes", "mtime_ns", "fault_detail", "roots", "root"}) {
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
      EXPECT_THAT(error.what(), ::testing::HasSubstr("not the ones that were written"));
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

}  // namespace
}  // namespace pantile
