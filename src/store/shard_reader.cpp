#include "store/shard_reader.hpp"

#include <array>
#include <limits>

#include "image/block_grid.hpp"

namespace pantile {

namespace {

/// The columns of /index, all of the same length.
struct Columns {
  hid_t group;
  std::size_t rows;

  template <class T>
  [[nodiscard]] std::vector<T> read(const char* name) const {
    std::vector<T> values = hdf5::read_column<T>(group, name);
    check_length(name, values.size());
    return values;
  }
  [[nodiscard]] std::vector<std::string> strings(const char* name) const {
    std::vector<std::string> values = hdf5::read_strings(group, name);
    check_length(name, values.size());
    return values;
  }
  /// Sizes and places in pixels.
  [[nodiscard]] std::vector<int> pixels(const char* name) const {
    std::vector<int> values;
    values.reserve(rows);
    for (const auto value : read<std::uint32_t>(name)) {
      if (value > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) {
        throw Error{std::string{"/index/"} + name + " holds " + std::to_string(value) + ", which is too large"};
      }
      values.push_back(static_cast<int>(value));
    }
    return values;
  }
  void check_length(const char* name, std::size_t length) const {
    if (length != rows) {
      throw Error{std::string{"/index/"} + name + " has " + std::to_string(length) + " rows (expected " +
                  std::to_string(rows) + ")"};
    }
  }
};

/// Throws unless the row's numbers can be true.
void check_row(const BlockRow& row) {
  constexpr std::uint64_t most_blocks = std::uint64_t{1} << 26U;
  constexpr int most_channels = std::numeric_limits<std::uint16_t>::max();  // what index.h5 holds
  const Extent all = row.item_extent;
  const BlockGrid grid{all};
  if (all.empty() || row.channels < 1 || row.channels > most_channels || grid.count() > most_blocks ||
      index(row.key.block) >= grid.size() || grid.rect(row.key.block) != row.rect) {
    throw Error{"/index: the row of item " + std::to_string(index(row.key.item)) + ", block " +
                std::to_string(index(row.key.block)) + " names a rectangle that is no block of its item"};
  }
}

/// Adds the name of the shard to what went wrong in it.
template <class Action>
auto in_shard(const std::string& name, Action action) {
  try {
    return action();
  } catch (const ForeignFormat& error) {
    throw ForeignFormat{"shard " + name + ": " + error.what()};
  } catch (const Error& error) {
    throw Error{"shard " + name + ": " + error.what()};
  }
}

}  // namespace

ShardReader::ShardReader(const std::filesystem::path& path) : name_{path.filename().string()} {
  in_shard(name_, [&] {
    file_ = hdf5::open_file(path);
    if (H5Aexists(file_.get(), "sealed") <= 0) {
      throw Error{"it was never sealed, or is no shard"};
    }
    expect_known_format(hdf5::read_number_attribute(file_.get(), "format_version"));
    run_id_ = hdf5::read_text_attribute(file_.get(), "run_id");
    outputs_ = parse_outputs(hdf5::read_text_attribute(file_.get(), "outputs"));
  });
}

ShardName ShardReader::name() const {
  return in_shard(name_, [&] {
    const auto number = [&](const char* attribute) { return hdf5::read_number_attribute(file_.get(), attribute); };
    return ShardName{.epoch = Epoch{static_cast<std::uint32_t>(number("epoch"))},
                     .rank = RankId{static_cast<std::int32_t>(number("rank"))},
                     .counter = ShardId{static_cast<std::uint32_t>(number("counter"))}};
  });
}

std::string ShardReader::config() const {
  return in_shard(name_, [&] { return hdf5::read_text(file_.get(), "config"); });
}

std::vector<StoredRow> ShardReader::rows() const {
  return in_shard(name_, [&] {
    const hdf5::Id group = hdf5::open_group(file_.get(), "index");
    const Columns columns{group.get(), hdf5::read_number_attribute(file_.get(), "rows")};
    // Before any memory is taken for them.
    columns.check_length("item", hdf5::column_size(group.get(), "item"));
    std::vector<StoredRow> rows(columns.rows);
    // One column after another, so that only one is in memory twice.
    const auto fill = [&rows](const auto& values, auto set) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        set(rows[i].row, values[i]);
      }
    };
    using Row = BlockRow&;
    fill(columns.read<std::uint64_t>("item"), [](Row row, std::uint64_t v) { row.key.item = ItemId{v}; });
    fill(columns.read<std::uint16_t>("output"), [](Row row, std::uint16_t v) { row.key.output = OutputId{v}; });
    fill(columns.read<std::uint32_t>("block"), [](Row row, std::uint32_t v) { row.key.block = BlockId{v}; });
    fill(columns.read<std::uint32_t>("attempt"), [](Row row, std::uint32_t v) { row.attempt = v; });
    fill(columns.pixels("y"), [](Row row, int v) { row.rect.y = v; });
    fill(columns.pixels("x"), [](Row row, int v) { row.rect.x = v; });
    fill(columns.pixels("height"), [](Row row, int v) { row.rect.height = v; });
    fill(columns.pixels("width"), [](Row row, int v) { row.rect.width = v; });
    fill(columns.pixels("channels"), [](Row row, int v) { row.channels = v; });
    fill(columns.pixels("item_height"), [](Row row, int v) { row.item_extent.height = v; });
    fill(columns.pixels("item_width"), [](Row row, int v) { row.item_extent.width = v; });
    fill(columns.read<std::uint64_t>("digest_high"), [](Row row, std::uint64_t v) { row.digest.high = v; });
    fill(columns.read<std::uint64_t>("digest_low"), [](Row row, std::uint64_t v) { row.digest.low = v; });
    fill(columns.read<std::uint64_t>("input_xxh3"), [](Row row, std::uint64_t v) { row.input_xxh3 = v; });
    fill(columns.pixels("tile_height"), [](Row row, int v) { row.tile.height = v; });
    fill(columns.pixels("tile_width"), [](Row row, int v) { row.tile.width = v; });
    fill(columns.read<float>("milliseconds"), [](Row row, float v) { row.milliseconds = v; });
    fill(columns.read<std::uint64_t>("peak_bytes"), [](Row row, std::uint64_t v) { row.peak_bytes = v; });
    fill(columns.strings("device_class"), [](Row row, const std::string& v) { row.device_class = v; });
    const auto offsets = columns.read<std::uint64_t>("offset");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      BlockRow& row = rows[i].row;
      if (index(row.key.output) >= outputs_.size()) {
        throw Error{"/index: a row of output " + std::to_string(index(row.key.output)) + ", of which there are " +
                    std::to_string(outputs_.size())};
      }
      row.dtype = outputs_[index(row.key.output)].dtype;
      rows[i].offset = offsets[i];
      check_row(row);
    }
    return rows;
  });
}

Bytes ShardReader::read(const StoredRow& stored) const {
  return in_shard(name_, [&] {
    const BlockRow& row = stored.row;
    expect(index(row.key.output) < outputs_.size(), "a row names an output of its shard");
    const hdf5::Id out = hdf5::open_group(file_.get(), "out/" + outputs_[index(row.key.output)].name);
    hdf5::expect_in_file(file_.get(), row.bytes(), 1, "item " + std::to_string(index(row.key.item)));
    Bytes pixels(row.bytes());
    if (stored.offset != in_blocks) {
      hdf5::read_column_raw(out.get(), "bytes", H5T_NATIVE_UINT8, pixels.data(), stored.offset, pixels.size());
      return pixels;
    }
    const std::string name = "blocks/" + std::to_string(index(row.key.item));
    const hdf5::Id dataset = hdf5::open_dataset(out.get(), name);
    const std::vector<hsize_t> all{static_cast<hsize_t>(row.item_extent.height),
                                   static_cast<hsize_t>(row.item_extent.width), static_cast<hsize_t>(row.channels)};
    if (hdf5::dims_of(dataset.get()) != all) {
      throw Error{name + " is not of the size that /index says"};
    }
    const hdf5::Id from = hdf5::own(H5Dget_space(dataset.get()), "get a dataspace");
    const std::array<hsize_t, 3> start{static_cast<hsize_t>(row.rect.y), static_cast<hsize_t>(row.rect.x), 0};
    const std::array<hsize_t, 3> count{static_cast<hsize_t>(row.rect.height), static_cast<hsize_t>(row.rect.width),
                                       all[2]};
    hdf5::check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
                "select a block of " + name);
    const hdf5::Id to = hdf5::make_space(count);
    hdf5::check(
        H5Dread(dataset.get(), hdf5::type_of(row.dtype).get(), to.get(), from.get(), H5P_DEFAULT, pixels.data()),
        "read a block of " + name);
    return pixels;
  });
}

}  // namespace pantile
