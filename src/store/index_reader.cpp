#include "store/index_reader.hpp"

#include <algorithm>
#include <cstring>

#include "image/block_grid.hpp"
#include "store/digest.hpp"

namespace pantile {

namespace {

constexpr std::size_t most_open_shards = 16;

/// Larger than any image: makes a rectangle that lies nowhere.
int to_px(std::uint32_t value) { return static_cast<int>(std::min<std::uint32_t>(value, INT32_MAX)); }

/// Where a rect lies in a dense image: copies it there row by row.
void place(const Rect& rect, std::size_t pixel_bytes, std::span<const std::byte> block, const Extent& all,
           Bytes& values) {
  const std::size_t row_bytes = static_cast<std::size_t>(rect.width) * pixel_bytes;
  for (int y = 0; y < rect.height; ++y) {
    const std::size_t to = (static_cast<std::size_t>(rect.y + y) * static_cast<std::size_t>(all.width) +
                            static_cast<std::size_t>(rect.x)) *
                           pixel_bytes;
    std::memcpy(values.data() + to, block.data() + static_cast<std::size_t>(y) * row_bytes, row_bytes);
  }
}

/// First position in a sorted column whose value is not less than `wanted`, read value by value.
std::size_t lower_bound(hid_t group, const char* name, std::uint64_t wanted) {
  std::size_t low = 0;
  std::size_t high = hdf5::column_size(group, name);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (hdf5::read_value<std::uint64_t>(group, name, middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

IndexRow read_row(hid_t items, std::size_t at) {
  IndexRow row;
  row.status = static_cast<ItemStatus>(hdf5::read_value<std::uint8_t>(items, "status", at));
  row.fault = static_cast<Fault>(hdf5::read_value<std::uint8_t>(items, "fault", at));
  row.channels = hdf5::read_value<std::uint16_t>(items, "channels", at);
  row.extent = {to_px(hdf5::read_value<std::uint32_t>(items, "height", at)),
                to_px(hdf5::read_value<std::uint32_t>(items, "width", at))};
  row.blocks = hdf5::read_value<std::uint32_t>(items, "blocks", at);
  row.shard = hdf5::read_value<std::uint32_t>(items, "shard", at);
  row.row = hdf5::read_value<std::uint32_t>(items, "row", at);
  row.offset = hdf5::read_value<std::uint64_t>(items, "offset", at);
  row.digest = {hdf5::read_value<std::uint64_t>(items, "digest_high", at),
                hdf5::read_value<std::uint64_t>(items, "digest_low", at)};
  return row;
}

IndexBlock read_block(hid_t blocks, std::size_t at) {
  return {.key = {.item = ItemId{hdf5::read_value<std::uint64_t>(blocks, "item", at)},
                  .output = OutputId{hdf5::read_value<std::uint16_t>(blocks, "output", at)},
                  .block = BlockId{hdf5::read_value<std::uint32_t>(blocks, "block", at)}},
          .shard = hdf5::read_value<std::uint32_t>(blocks, "shard", at),
          .row = hdf5::read_value<std::uint32_t>(blocks, "row", at),
          .rect = {to_px(hdf5::read_value<std::uint32_t>(blocks, "y", at)),
                   to_px(hdf5::read_value<std::uint32_t>(blocks, "x", at)),
                   to_px(hdf5::read_value<std::uint32_t>(blocks, "height", at)),
                   to_px(hdf5::read_value<std::uint32_t>(blocks, "width", at))}};
}

/// Reads one column and hands its values to set(element, value).
template <class T, class Into, class Set>
void fill(hid_t group, const char* name, std::vector<Into>& into, Set set) {
  const std::vector<T> values = hdf5::read_column<T>(group, name);
  if (into.empty()) {
    into.resize(values.size());
  }
  if (values.size() != into.size()) {
    throw Error{std::string{"the column "} + name + " has " + std::to_string(values.size()) + " rows (expected " +
                std::to_string(into.size()) + ")"};
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    set(into[i], values[i]);
  }
}

}  // namespace

IndexReader::IndexReader(const RunLayout& layout) : layout_{layout} {
  try {
    file_ = hdf5::open_file(layout.index());
    if (hdf5::read_text_attribute(file_.get(), "kind") != "pantile index") {
      throw Error{"it is no index"};
    }
    expect_known_format(hdf5::read_number_attribute(file_.get(), "format_version"));
    outputs_ = parse_outputs(hdf5::read_text_attribute(file_.get(), "outputs"));
    items_ = hdf5::read_number_attribute(file_.get(), "items");
    totals_ = {.items = items_,
               .done = hdf5::read_number_attribute(file_.get(), "done"),
               .quarantined = hdf5::read_number_attribute(file_.get(), "quarantined")};
    const auto digest = parse_hash128(hdf5::read_text_attribute(file_.get(), "digest"));
    if (!digest) {
      throw Error{"its digest makes no sense"};
    }
    totals_.digest = *digest;
    if (outputs_.empty() || items_ > hdf5::column_size(file_.get(), "items/status") / outputs_.size() ||
        items_ >= hdf5::column_size(file_.get(), "paths/offset")) {
      throw Error{"it has fewer items than it says"};
    }
    shards_ = hdf5::read_strings(file_.get(), "shards/name");
    for (const std::string& shard : shards_) {
      if (!parse_shard_name(shard)) {
        throw Error{"it names a shard '" + shard + "', which is no name of one"};
      }
    }
  } catch (const ForeignFormat& error) {
    throw ForeignFormat{"cannot read " + layout.index().string() + ": " + error.what()};
  } catch (const Error& error) {
    throw Error{"cannot read " + layout.index().string() + ": " + error.what() +
                ". It is written when a run ends, and can be made again from the journal and the shards."};
  }
}

IndexedOutput IndexReader::find(ItemId item, OutputId output) const {
  expect(index(item) < items_ && index(output) < outputs_.size(), "the item and the output are of this run");
  const hdf5::Id items = hdf5::open_group(file_.get(), "items");
  IndexedOutput found{.item = item, .output = output};
  found.row = read_row(items.get(), index(item) * outputs_.size() + index(output));
  found.path = path(item);
  if (found.row.shard != no_shard) {
    found.shard = shard_name(found.row.shard);
  }
  return found;
}

std::string IndexReader::path(ItemId item) const {
  expect(index(item) < items_, "the item is of this run");
  if (!path_at_.empty()) {
    return paths_.substr(path_at_[index(item)], path_at_[index(item) + 1] - path_at_[index(item)]);
  }
  const auto begin = hdf5::read_value<std::uint64_t>(file_.get(), "paths/offset", index(item));
  const auto end = hdf5::read_value<std::uint64_t>(file_.get(), "paths/offset", index(item) + 1);
  if (end < begin || end > hdf5::column_size(file_.get(), "paths/bytes")) {
    throw Error{layout_.index().string() + ": the path of item " + std::to_string(index(item)) + " lies nowhere"};
  }
  std::string text(end - begin, '\0');
  hdf5::read_column_raw(file_.get(), "paths/bytes", H5T_NATIVE_UINT8, text.data(), begin, text.size());
  return text;
}

void IndexReader::load_paths() {
  if (!path_at_.empty()) {
    return;
  }
  const auto bytes = hdf5::read_column<std::uint8_t>(file_.get(), "paths/bytes");
  auto offsets = hdf5::read_column<std::uint64_t>(file_.get(), "paths/offset");
  if (offsets.size() != items_ + 1 || !std::is_sorted(offsets.begin(), offsets.end()) ||
      offsets.back() != bytes.size()) {
    throw Error{layout_.index().string() + ": its paths make no sense. Make the index again"};
  }
  paths_.assign(bytes.begin(), bytes.end());
  path_at_ = std::move(offsets);
}

std::vector<ItemId> IndexReader::find(std::string_view path) {
  load_paths();
  std::vector<ItemId> found;
  for (std::size_t i = 0; i + 1 < path_at_.size(); ++i) {
    if (path_at_[i + 1] - path_at_[i] == path.size() && paths_.compare(path_at_[i], path.size(), path) == 0) {
      found.push_back(ItemId{i});
    }
  }
  return found;
}

std::optional<QuarantinedItem> IndexReader::quarantine(ItemId item) const {
  const hdf5::Id group = hdf5::open_group(file_.get(), "quarantine");
  const std::size_t at = lower_bound(group.get(), "item", index(item));
  if (at >= hdf5::column_size(group.get(), "item") ||
      hdf5::read_value<std::uint64_t>(group.get(), "item", at) != index(item)) {
    return std::nullopt;
  }
  const auto fault = static_cast<Fault>(hdf5::read_value<std::uint8_t>(group.get(), "fault", at));
  const std::vector<std::string> details = hdf5::read_strings(group.get(), "detail");
  return QuarantinedItem{.failure = {fault, at < details.size() ? details[at] : std::string{}},
                         .attempts = hdf5::read_value<std::uint32_t>(group.get(), "attempts", at)};
}

std::vector<IndexBlock> IndexReader::blocks(ItemId item, OutputId output) const {
  const hdf5::Id group = hdf5::open_group(file_.get(), "blocks");
  const std::size_t size = hdf5::column_size(group.get(), "item");
  std::vector<IndexBlock> found;
  for (std::size_t at = lower_bound(group.get(), "item", index(item)); at < size; ++at) {
    const IndexBlock block = read_block(group.get(), at);
    if (block.key.item != item) {
      break;
    }
    if (block.key.output == output) {
      found.push_back(block);
    }
  }
  return found;
}

ItemPixels IndexReader::read_pixels(ItemId item, OutputId output) {
  const IndexedOutput found = find(item, output);
  const IndexRow& row = found.row;
  const std::string who = "item " + std::to_string(index(item)) + " (" + found.path + ")";
  if (row.status != ItemStatus::done) {
    throw Error{who + " is " + name(row.status) + ": it has no pixels"};
  }
  if (row.extent.empty() || row.channels < 1 || BlockGrid{row.extent}.count() != row.blocks) {
    throw Error{layout_.index().string() + ": " + who + " has an extent that makes no sense. Make the index again"};
  }
  ItemPixels pixels{.extent = row.extent, .channels = row.channels, .dtype = outputs_[index(output)].dtype};
  const std::size_t pixel_bytes = static_cast<std::size_t>(pixels.channels) * size_of(pixels.dtype);

  std::vector<IndexBlock> parts = blocks(item, output);
  if (row.blocks == 1) {
    parts = {{.key = {item, output, BlockId{0}}, .shard = row.shard, .row = row.row, .rect = whole(row.extent)}};
  }
  if (parts.size() != row.blocks) {
    throw Error{layout_.index().string() + ": " + who + " has " + std::to_string(parts.size()) + " of " +
                std::to_string(row.blocks) + " blocks. Make the index again"};
  }
  // Each part is read from its own shard, which throws if it is missing; a virtual dataset would give zeros instead.
  Hash128 digest;
  for (const IndexBlock& part : parts) {
    const BlockGrid grid{row.extent};
    if (index(part.key.block) >= grid.size() || part.rect != grid.rect(part.key.block)) {
      throw Error{layout_.index().string() + ": a block of " + who + " is none of its blocks. Make the index again"};
    }
    StoredRow stored;
    stored.row.key = part.key;
    stored.row.item_extent = row.extent;
    stored.row.rect = part.rect;
    stored.row.channels = row.channels;
    stored.row.dtype = pixels.dtype;
    stored.offset = row.offset;
    const Bytes block = shard(part.shard).read(stored);
    digest += block_digest(item, output, pixels.dtype, part.rect, pixels.channels, block);
    if (row.blocks == 1) {
      pixels.values = block;
    } else {
      // Not before the first part was there: the index may say any extent.
      pixels.values.resize(static_cast<std::size_t>(pixels.extent.area()) * pixel_bytes);
      place(part.rect, pixel_bytes, block, row.extent, pixels.values);
    }
  }
  if (digest != row.digest) {
    throw Error{who + ": its pixels are not the ones that were written (a shard is damaged). Run `pantile verify`."};
  }
  return pixels;
}

ShardReader& IndexReader::shard(std::uint32_t at) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const OpenShard& open) { return open.at == at; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return open_.front().reader;
  }
  if (open_.size() >= most_open_shards) {
    open_.pop_back();
  }
  open_.push_front({at, ShardReader{layout_.shard(shard_name(at))}});
  return open_.front().reader;
}

const std::string& IndexReader::shard_name(std::uint32_t at) const {
  if (at >= shards_.size()) {
    throw Error{layout_.index().string() + ": it names shard " + std::to_string(at) + " of " +
                std::to_string(shards_.size()) + ". Make the index again"};
  }
  return shards_[at];
}

std::vector<IndexRow> IndexReader::rows() const {
  const hdf5::Id group = hdf5::open_group(file_.get(), "items");
  const hid_t items = group.get();
  std::vector<IndexRow> rows;
  fill<std::uint8_t>(items, "status", rows, [](IndexRow& row, auto v) { row.status = static_cast<ItemStatus>(v); });
  fill<std::uint8_t>(items, "fault", rows, [](IndexRow& row, auto v) { row.fault = static_cast<Fault>(v); });
  fill<std::uint16_t>(items, "channels", rows, [](IndexRow& row, auto v) { row.channels = v; });
  fill<std::uint32_t>(items, "height", rows, [](IndexRow& row, auto v) { row.extent.height = to_px(v); });
  fill<std::uint32_t>(items, "width", rows, [](IndexRow& row, auto v) { row.extent.width = to_px(v); });
  fill<std::uint32_t>(items, "blocks", rows, [](IndexRow& row, auto v) { row.blocks = v; });
  fill<std::uint32_t>(items, "shard", rows, [](IndexRow& row, auto v) { row.shard = v; });
  fill<std::uint32_t>(items, "row", rows, [](IndexRow& row, auto v) { row.row = v; });
  fill<std::uint64_t>(items, "offset", rows, [](IndexRow& row, auto v) { row.offset = v; });
  fill<std::uint64_t>(items, "digest_high", rows, [](IndexRow& row, auto v) { row.digest.high = v; });
  fill<std::uint64_t>(items, "digest_low", rows, [](IndexRow& row, auto v) { row.digest.low = v; });
  return rows;
}

std::vector<IndexBlock> IndexReader::all_blocks() const {
  const hdf5::Id group = hdf5::open_group(file_.get(), "blocks");
  const hid_t blocks = group.get();
  std::vector<IndexBlock> rows;
  fill<std::uint64_t>(blocks, "item", rows, [](IndexBlock& row, auto v) { row.key.item = ItemId{v}; });
  fill<std::uint16_t>(blocks, "output", rows, [](IndexBlock& row, auto v) { row.key.output = OutputId{v}; });
  fill<std::uint32_t>(blocks, "block", rows, [](IndexBlock& row, auto v) { row.key.block = BlockId{v}; });
  fill<std::uint32_t>(blocks, "shard", rows, [](IndexBlock& row, auto v) { row.shard = v; });
  fill<std::uint32_t>(blocks, "row", rows, [](IndexBlock& row, auto v) { row.row = v; });
  fill<std::uint32_t>(blocks, "y", rows, [](IndexBlock& row, auto v) { row.rect.y = to_px(v); });
  fill<std::uint32_t>(blocks, "x", rows, [](IndexBlock& row, auto v) { row.rect.x = to_px(v); });
  fill<std::uint32_t>(blocks, "height", rows, [](IndexBlock& row, auto v) { row.rect.height = to_px(v); });
  fill<std::uint32_t>(blocks, "width", rows, [](IndexBlock& row, auto v) { row.rect.width = to_px(v); });
  return rows;
}

}  // namespace pantile
