#include "source/item_reader.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/error.hpp"
#include "base/hdf5.hpp"
#include "source/inputs.hpp"
#include "source/temp_images.hpp"
#include "source/temp_zip.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::png_of;
using testing::tar_member;
using testing::TempFolder;
using testing::text_of;
using testing::write_file;

constexpr std::uint64_t limit = 1 << 20;

class ItemReaderTest : public ::testing::Test {
 protected:
  Catalog catalog_of(const std::string& name, const std::string& bytes) {
    write_file(folder_.path() / name, bytes);
    return catalog_of(name);
  }
  Catalog catalog_of(const std::string& name) {
    const InputSpec input{.path = folder_.path() / name};
    return build_catalog(std::span{&input, 1}, 1);
  }
  std::string read(const ItemPlace& place) {
    const Result<Bytes> bytes = reader_.read(place, limit);
    return bytes ? text_of(bytes.value()) : std::string{pantile::name(bytes.failure().fault)};
  }
  TempFolder folder_;
  ItemReader reader_{2};
};

TEST_F(ItemReaderTest, ReadsTheSameBytesFromAFileAndFromAnyArchive) {
  const std::string a = png_of({4, 6});
  const std::string b = png_of({40, 60}, 9);
  write_file(folder_.path() / "pages/a.png", a);
  write_file(folder_.path() / "pages/b.png", b);
  const std::vector<Catalog> catalogs{
      catalog_of("pages"), catalog_of("p.tar", tar_member("b.png", b) + tar_member("a.png", a) + testing::tar_end()),
      catalog_of("p.cbz", testing::zip_of({{"b.png", b}, {"a.png", a}}))};
  for (const Catalog& catalog : catalogs) {
    ASSERT_EQ(catalog.size(), 2U);
    EXPECT_EQ(catalog.digest(), catalogs[0].digest());
    EXPECT_EQ(read(catalog.place(ItemId{0})), a);
    EXPECT_EQ(read(catalog.place(ItemId{1})), b);
    EXPECT_EQ(read(catalog.place(ItemId{0})), a) << "from the archive that is open";
    Result<std::unique_ptr<ByteReader>> part = reader_.open(catalog.place(ItemId{1}));
    ASSERT_TRUE(part);
    for (const std::uint64_t at : {std::uint64_t{50}, std::uint64_t{3}, b.size() - 2}) {
      Bytes bytes(10);
      bytes.resize(part.value()->read_at(at, bytes));
      EXPECT_EQ(text_of(bytes), b.substr(at, 10)) << "forwards and backwards";
    }
  }
}

TEST_F(ItemReaderTest, ReadsTheRowsOfAStack) {
  const auto path = folder_.path() / "s.h5";
  const std::vector<std::uint16_t> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x1234};
  hdf5::replace_file(path, [&](hid_t file) {
    const std::array<hsize_t, 3> dims{2, 3, 2};
    const hdf5::Id space = hdf5::make_space(dims);
    // Big-endian on disk.
    const hdf5::Id set =
        hdf5::own(H5Dcreate2(file, "x", H5T_STD_U16BE, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "create x");
    hdf5::check(H5Dwrite(set.get(), H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write x");
  });
  const Catalog catalog = catalog_of("s.h5:/x");
  ASSERT_EQ(catalog.size(), 2U);
  const CatalogItem item = catalog.item(ItemId{1});
  EXPECT_EQ(item.path, "000001");
  EXPECT_EQ(item.extent, (Extent{3, 2}));
  EXPECT_EQ(std::pair(item.channels, item.bits), std::pair(1, 16));
  EXPECT_EQ(item.bytes, 12U);
  const Result<Image> row = reader_.row(catalog.place(ItemId{1}));
  ASSERT_TRUE(row);
  const ImageView pixels = row.value().view();
  EXPECT_EQ(std::memcmp(pixels.data, values.data() + 6, 12), 0);
  ItemPlace beyond = catalog.place(ItemId{1});
  beyond.at = 2;
  EXPECT_EQ(reader_.row(beyond).failure().fault, Fault::changed);
}

TEST_F(ItemReaderTest, SaysWhatIsWrongWithAMember) {
  const std::string a = png_of({4, 6});
  std::string packed = testing::zip_of({{"a.png", a}, {"b.png", a}}, testing::Packing::stored);
  packed[packed.find(a) + a.size() - 20] ^= 1;
  const Catalog catalog = catalog_of("p.zip", packed);
  EXPECT_EQ(read(catalog.place(ItemId{0})), "corrupt") << "its checksum is wrong";
  EXPECT_EQ(read(catalog.place(ItemId{1})), a);
  EXPECT_EQ(reader_.read(catalog.place(ItemId{1}), 10).failure().fault, Fault::too_large);
}

TEST_F(ItemReaderTest, SeesThatAnArchiveOrAFileHasChanged) {
  const std::string a = png_of({4, 6});
  const std::string tar = tar_member("a.png", a) + tar_member("b.png", a) + testing::tar_end();
  const Catalog in_tar = catalog_of("p.tar", tar);
  const Catalog in_zip = catalog_of("p.zip", testing::zip_of({{"a.png", a}, {"b.png", a}}));
  const Catalog file = catalog_of("a.png", a);
  write_file(folder_.path() / "p.tar", tar + "x");
  write_file(folder_.path() / "p.zip", testing::zip_of({{"a.png", a}}));
  write_file(folder_.path() / "a.png", a + "x");
  for (const Catalog* const catalog : {&in_tar, &in_zip, &file}) {
    EXPECT_EQ(read(catalog->place(ItemId{0})), "changed");
  }
  // Of the same size, with something else in its place.
  write_file(folder_.path() / "p.tar",
             tar_member("a.png", a) + tar_member("b.png", std::string(a.size() - 1, 'x')) + testing::tar_end());
  EXPECT_EQ(read(in_tar.place(ItemId{1})), "changed");
  for (const char* const name : {"p.tar", "p.zip", "a.png"}) {
    std::filesystem::remove(folder_.path() / name);
  }
  EXPECT_EQ(ItemReader{}.read(in_zip.place(ItemId{0}), limit).failure().fault, Fault::unreadable);
  EXPECT_EQ(read(file.place(ItemId{0})), "unreadable");
}

TEST_F(ItemReaderTest, KeepsAFewArchivesOpenAndReadsFromAnyNumber) {
  const std::string a = png_of({4, 6});
  std::vector<Catalog> catalogs;
  for (int i = 0; i < 5; ++i) {
    catalogs.push_back(catalog_of("p" + std::to_string(i) + ".zip", testing::zip_of({{"a.png", a}})));
  }
  const auto open_files = [] { return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}); };
  const auto before = open_files();
  for (int round = 0; round < 3; ++round) {
    for (const Catalog& catalog : catalogs) {
      EXPECT_EQ(read(catalog.place(ItemId{0})), a);
    }
  }
  EXPECT_EQ(open_files() - before, 2) << "the fixture's reader keeps two";
}

}  // namespace
}  // namespace pantile
