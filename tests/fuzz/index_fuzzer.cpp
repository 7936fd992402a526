// A shard, an index and a catalog made by someone else. Three sound files, made at the start, are changed by a list of
// changes, each of which is well-formed HDF5, and then read as `inspect`, `export` and `verify` do:
//
//     change = u8 what | u8 which | u16 where | u64 value
//
// HDF5's own reading of damaged files is not what is looked for here.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "store/fixture.hpp"
#include "store/index_reader.hpp"
#include "store/shard_reader.hpp"

namespace pantile {
namespace {

constexpr std::array<const char*, 26> index_columns{
    "items/status",  "items/fault",     "items/channels",   "items/height",      "items/width",      "items/blocks",
    "items/shard",   "items/row",       "items/offset",     "items/digest_high", "items/digest_low", "paths/bytes",
    "paths/offset",  "quarantine/item", "quarantine/fault", "quarantine/detail", "shards/name",      "blocks/item",
    "blocks/output", "blocks/block",    "blocks/shard",     "blocks/row",        "blocks/y",         "blocks/x",
    "blocks/height", "blocks/width"};
constexpr std::array<const char*, 22> shard_columns{
    "index/item",       "index/output",       "index/block",      "index/attempt",      "index/y",
    "index/x",          "index/height",       "index/width",      "index/channels",     "index/item_height",
    "index/item_width", "index/digest_high",  "index/digest_low", "index/input_xxh3",   "index/tile_height",
    "index/tile_width", "index/milliseconds", "index/peak_bytes", "index/device_class", "index/offset",
    "out/page/bytes",   "out/page/blocks/2"};
constexpr std::array<const char*, 19> catalog_columns{
    "roots",       "root_kind", "root_dataset", "root_bytes", "fault_item", "fault_detail", "path_bytes",
    "path_offset", "root",      "at",           "height",     "width",      "channels",     "bits",
    "orientation", "bytes",     "mtime_ns",     "format",     "fault"};
constexpr std::array<const char*, 6> catalog_attributes{"kind",           "format_version", "items",
                                                        "catalog_digest", "first_digest",   "columns_digest"};
constexpr std::array<const char*, 7> index_attributes{"kind", "format_version", "outputs", "items",
                                                      "done", "quarantined",    "digest"};
constexpr std::array<const char*, 8> shard_attributes{"sealed", "format_version", "run_id",  "outputs",
                                                      "epoch",  "rank",           "counter", "config"};

/// Three items, one of them of two blocks, and one in quarantine.
class Base {
 public:
  Base() {
    const RunFolder run = RunFolder::open(layout.root);
    const Catalog catalog = testing::test_catalog(4);
    const std::vector<testing::TestItem> items{{{6, 5}, 3}, {{1, 1}, 1}, {{3, 2050}, 1}};
    std::vector<std::vector<testing::TestBlock>> blocks;
    for (std::uint64_t i = 0; i < items.size(); ++i) {
      blocks.push_back(testing::make_blocks(i, items[i]));
    }
    const SealedShard shard = testing::write_shard(layout, testing::shard_name(0),
                                                   {&blocks[0][0], &blocks[1][0], &blocks[2][0], &blocks[2][1]});
    state.apply(Epoch{1}, RunStart{.items = 4, .outputs = {{"page", DType::u8}}});
    state.apply(Epoch{1}, to_commit(shard));
    state.apply(Epoch{1}, ItemQuarantined{.item = ItemId{3}, .attempts = 1, .failure = {Fault::truncated, "it ends"}});
    write_index(layout, catalog, state);
    write_catalog(layout.catalog(), catalog);
    name_ = shard.name;
    index_ = read_file(layout.index());
    shard_ = read_file(shard_path());
    catalog_ = read_file(layout.catalog());
  }
  [[nodiscard]] std::filesystem::path shard_path() const { return layout.shard(name_); }
  void restore() const {
    put(layout.index(), index_);
    put(shard_path(), shard_);
    put(layout.catalog(), catalog_);
  }

  testing::TempFolder folder;
  RunLayout layout{folder.path() / "run"};
  JournalState state;

 private:
  static void put(const std::filesystem::path& path, const Bytes& bytes) {
    const File file = open_file(path, O_WRONLY | O_TRUNC | O_CREAT);
    write_all(file.get(), bytes, path.string());
  }

  std::string name_;
  Bytes index_;
  Bytes shard_;
  Bytes catalog_;
};

const Base& base() {
  static const Base made;
  return made;
}

/// Writes the bytes of `value` over one value of a column: a number is changed, a string begins otherwise.
void change_value(hid_t file, const char* name, std::uint16_t where, std::uint64_t value) {
  const hdf5::Id dataset = hdf5::open_dataset(file, name);
  const hdf5::Id type = hdf5::own(H5Dget_type(dataset.get()), "get a type");
  const hdf5::Id space = hdf5::own(H5Dget_space(dataset.get()), "get a dataspace");
  const auto count = H5Sget_simple_extent_npoints(space.get());
  // A column may have been replaced before by one that says it is huge.
  hdf5::expect_in_file(dataset.get(), static_cast<std::uint64_t>(count), H5Tget_size(type.get()), name);
  Bytes all(static_cast<std::size_t>(count) * H5Tget_size(type.get()));
  if (all.empty()) {
    return;
  }
  hdf5::check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()), "read");
  const std::size_t at = where % static_cast<std::size_t>(count) * H5Tget_size(type.get());
  std::memcpy(all.data() + at, &value, std::min({sizeof value, H5Tget_size(type.get()), all.size() - at}));
  hdf5::check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()), "write");
}

/// Another column under the same name, of another type or length: nothing was ever written to it.
void replace_column(hid_t file, const char* name, std::uint16_t where, std::uint64_t value) {
  const std::array<hid_t, 6> types{H5T_STD_U8LE, H5T_STD_U64LE, H5T_IEEE_F32LE, H5T_STD_I32BE, H5T_C_S1, H5T_STD_U16LE};
  hdf5::check(H5Ldelete(file, name, H5P_DEFAULT), "delete");
  const std::array<hsize_t, 2> dims{value % 0x10000000000, hsize_t{1} + where / 256U};
  const hdf5::Id space = hdf5::make_space({dims.data(), where % 16 == 15 ? std::size_t{2} : std::size_t{1}});
  static_cast<void>(
      hdf5::own(H5Dcreate2(file, name, types[where % types.size()], space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                "create"));
}

void change_attribute(hid_t file, const char* name, std::uint16_t where, std::uint64_t value) {
  const hdf5::Id attribute = hdf5::own(H5Aopen(file, name, H5P_DEFAULT), "open an attribute");
  const hdf5::Id type = hdf5::own(H5Aget_type(attribute.get()), "get a type");
  Bytes bytes(H5Tget_size(type.get()));
  hdf5::check(H5Aread(attribute.get(), type.get(), bytes.data()), "read");
  const std::size_t at = where % bytes.size();
  std::memcpy(bytes.data() + at, &value, std::min(sizeof value, bytes.size() - at));
  hdf5::check(H5Awrite(attribute.get(), type.get(), bytes.data()), "write");
}

/// One of the three, open for writing, and what is in it.
struct Target {
  hdf5::Id file;
  std::span<const char* const> columns;
  std::span<const char* const> attributes;
};

Target open_target(const std::filesystem::path& path, std::span<const char* const> columns,
                   std::span<const char* const> attributes) {
  return {hdf5::own(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open"), columns, attributes};
}

void change(const Target& target, fuzz::Choices& choices, unsigned what) {
  const auto which = choices.number<std::uint8_t>();
  const auto where = choices.number<std::uint16_t>();
  const auto value = choices.number<std::uint64_t>();
  const hid_t file = target.file.get();
  const char* const column = target.columns[which % target.columns.size()];
  const char* const attribute = target.attributes[which % target.attributes.size()];
  switch (what) {
    case 0: hdf5::check(H5Ldelete(file, column, H5P_DEFAULT), "delete"); break;
    case 1: hdf5::check(H5Adelete(file, attribute), "delete"); break;
    case 2: replace_column(file, column, where, value); break;
    case 3: change_attribute(file, attribute, where, value); break;
    default: change_value(file, column, where, value); break;
  }
}

void change_files(fuzz::Choices choices) {
  hdf5::initialise();
  const std::array<Target, 3> targets{open_target(base().layout.index(), index_columns, index_attributes),
                                      open_target(base().shard_path(), shard_columns, shard_attributes),
                                      open_target(base().layout.catalog(), catalog_columns, catalog_attributes)};
  for (int left = 16; left > 0 && !choices.empty(); --left) {
    const auto what = choices.number<std::uint8_t>();
    try {
      change(targets[what % targets.size()], choices, what / targets.size() % 8);
    } catch (const Error&) {
      continue;  // It is gone already.
    }
  }
}

/// `action`, which may say that a file is bad, and nothing worse.
template <class Action>
void attempt(Action action) {
  try {
    action();
  } catch (const Error&) {
    return;
  }
}

void read_index() {
  attempt([] {
    IndexReader reader{base().layout};
    attempt([&] { static_cast<void>(reader.rows()); });
    attempt([&] { static_cast<void>(reader.all_blocks()); });
    for (std::uint64_t at = 0; at < std::min<std::uint64_t>(reader.items(), 4); ++at) {
      const ItemId item{at};
      attempt([&] { static_cast<void>(reader.path(item)); });
      attempt([&] { static_cast<void>(reader.quarantine(item)); });
      for (std::uint16_t output = 0; output < std::min<std::size_t>(reader.outputs().size(), 2); ++output) {
        attempt([&] { static_cast<void>(reader.blocks(item, OutputId{output})); });
        attempt([&] {
          const IndexedOutput found = reader.find(item, OutputId{output});
          const ItemPixels pixels = reader.read_pixels(item, OutputId{output});
          expect(pixels.extent == found.row.extent &&
                     pixels.values.size() == static_cast<std::size_t>(pixels.extent.area()) *
                                                 static_cast<std::size_t>(pixels.channels) * size_of(pixels.dtype),
                 "an item has all of its pixels");
        });
      }
    }
    attempt([&] { static_cast<void>(reader.find("chapter 0/page-1.png")); });
  });
}

void read_the_others() {
  attempt([] {
    const ShardReader reader{base().shard_path()};
    attempt([&] { static_cast<void>(reader.config()); });
    attempt([&] { static_cast<void>(reader.name()); });
    for (const StoredRow& row : reader.rows()) {
      attempt([&] { expect(reader.read(row).size() == row.row.bytes(), "a row has all of its pixels"); });
    }
  });
  attempt([] { static_cast<void>(read_stored_catalog(base().layout.catalog())); });
  attempt([] { static_cast<void>(write_index(base().layout, testing::test_catalog(4), base().state)); });
}

}  // namespace
}  // namespace pantile

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  if (std::filesystem::exists("/dev/shm")) {
    ::setenv("TMPDIR", "/dev/shm", 0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pantile;  // NOLINT(google-build-using-namespace): of a function
  fuzz::be_quiet();
  base().restore();
  change_files(fuzz::Choices{fuzz::bytes_of(data, size)});
  read_index();
  read_the_others();
  return 0;
}
