#include "store/index_writer.hpp"

#include <fmt/format.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "base/hdf5.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

constexpr std::size_t most_virtual_sources = 512;  // every source of a virtual dataset costs a reader one descriptor

/// All of `from` as a column: value(element) is the cell.
template <class T, class From, class Value>
void column(hid_t group, const char* name, const From& from, Value value) {
  std::vector<T> values;
  values.reserve(from.size());
  for (const auto& element : from) {
    values.push_back(static_cast<T>(value(element)));
  }
  hdf5::write_column(group, name, values);
}

void write_items(hid_t file, const IndexTable& table) {
  const hdf5::Id group = hdf5::create_group(file, "items");
  const auto& rows = table.rows();
  std::size_t at = 0;
  column<std::uint64_t>(group.get(), "item", rows, [&](const IndexRow&) { return at++ / table.outputs(); });
  at = 0;
  column<std::uint16_t>(group.get(), "output", rows, [&](const IndexRow&) { return at++ % table.outputs(); });
  column<std::uint8_t>(group.get(), "status", rows, [](const IndexRow& row) { return row.status; });
  column<std::uint8_t>(group.get(), "fault", rows, [](const IndexRow& row) { return row.fault; });
  column<std::uint32_t>(group.get(), "shard", rows, [](const IndexRow& row) { return row.shard; });
  column<std::uint32_t>(group.get(), "row", rows, [](const IndexRow& row) { return row.row; });
  column<std::uint64_t>(group.get(), "offset", rows, [](const IndexRow& row) { return row.offset; });
  column<std::uint32_t>(group.get(), "height", rows, [](const IndexRow& row) { return row.extent.height; });
  column<std::uint32_t>(group.get(), "width", rows, [](const IndexRow& row) { return row.extent.width; });
  column<std::uint16_t>(group.get(), "channels", rows, [](const IndexRow& row) { return row.channels; });
  column<std::uint32_t>(group.get(), "blocks", rows, [](const IndexRow& row) { return row.blocks; });
  column<std::uint64_t>(group.get(), "digest_high", rows, [](const IndexRow& row) { return row.digest.high; });
  column<std::uint64_t>(group.get(), "digest_low", rows, [](const IndexRow& row) { return row.digest.low; });
}

void write_blocks(hid_t file, const std::vector<IndexBlock>& blocks) {
  const hdf5::Id group = hdf5::create_group(file, "blocks");
  column<std::uint64_t>(group.get(), "item", blocks, [](const IndexBlock& b) { return index(b.key.item); });
  column<std::uint16_t>(group.get(), "output", blocks, [](const IndexBlock& b) { return index(b.key.output); });
  column<std::uint32_t>(group.get(), "block", blocks, [](const IndexBlock& b) { return index(b.key.block); });
  column<std::uint32_t>(group.get(), "shard", blocks, [](const IndexBlock& b) { return b.shard; });
  column<std::uint32_t>(group.get(), "row", blocks, [](const IndexBlock& b) { return b.row; });
  column<std::uint32_t>(group.get(), "y", blocks, [](const IndexBlock& b) { return b.rect.y; });
  column<std::uint32_t>(group.get(), "x", blocks, [](const IndexBlock& b) { return b.rect.x; });
  column<std::uint32_t>(group.get(), "height", blocks, [](const IndexBlock& b) { return b.rect.height; });
  column<std::uint32_t>(group.get(), "width", blocks, [](const IndexBlock& b) { return b.rect.width; });
}

void write_paths(hid_t file, const Catalog& catalog) {
  const hdf5::Id group = hdf5::create_group(file, "paths");
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint64_t> offsets{0};
  for (std::uint64_t id = 0; id < catalog.size(); ++id) {
    const std::string_view path = catalog.path(ItemId{id});
    bytes.insert(bytes.end(), path.begin(), path.end());
    offsets.push_back(bytes.size());
  }
  hdf5::write_column(group.get(), "bytes", bytes);
  hdf5::write_column(group.get(), "offset", offsets);
}

/// The table of shards, and a link to each: `/shard/000000` opens the file itself, by a name relative to index.h5.
void write_shards(hid_t file, const std::vector<CommittedShard>& shards) {
  const hdf5::Id group = hdf5::create_group(file, "shards");
  std::vector<std::string> names;
  for (const CommittedShard& shard : shards) {
    names.push_back(shard.name);
  }
  hdf5::write_strings(group.get(), "name", names);
  column<std::uint64_t>(group.get(), "rows", shards, [](const CommittedShard& s) { return s.rows; });
  column<std::uint64_t>(group.get(), "bytes", shards, [](const CommittedShard& s) { return s.bytes; });
  column<std::uint64_t>(group.get(), "hash_high", shards, [](const CommittedShard& s) { return s.hash.high; });
  column<std::uint64_t>(group.get(), "hash_low", shards, [](const CommittedShard& s) { return s.hash.low; });
  const hdf5::Id links = hdf5::create_group(file, "shard");
  for (std::size_t at = 0; at < names.size(); ++at) {
    hdf5::check(H5Lcreate_external(("shards/" + names[at]).c_str(), "/", links.get(), fmt::format("{:06}", at).c_str(),
                                   H5P_DEFAULT, H5P_DEFAULT),
                "link the shard " + names[at]);
  }
}

void write_quarantine(hid_t file, const JournalState& state) {
  const hdf5::Id group = hdf5::create_group(file, "quarantine");
  const auto& items = state.quarantine();
  column<std::uint64_t>(group.get(), "item", items, [](const auto& entry) { return index(entry.first); });
  column<std::uint32_t>(group.get(), "attempts", items, [](const auto& entry) { return entry.second.attempts; });
  column<std::uint8_t>(group.get(), "fault", items, [](const auto& entry) { return entry.second.failure.fault; });
  std::vector<std::string> reasons;
  std::vector<std::string> details;
  for (const auto& [item, entry] : items) {
    reasons.emplace_back(name(entry.failure.fault));
    details.push_back(entry.failure.detail);
  }
  hdf5::write_strings(group.get(), "reason", reasons);
  hdf5::write_strings(group.get(), "detail", details);
}

/// One item of several blocks as one dataset (height, width, channels), whose pixels stay in the shards.
void write_joined(hid_t group, const OutputInfo& output, const IndexRow& row, std::span<const IndexBlock> blocks,
                  const std::vector<CommittedShard>& shards) {
  const std::string item = std::to_string(index(blocks.front().key.item));
  const std::string source = "/out/" + output.name + "/blocks/" + item;
  const std::array<hsize_t, 3> dims{static_cast<hsize_t>(row.extent.height), static_cast<hsize_t>(row.extent.width),
                                    row.channels};
  const hdf5::Id space = hdf5::make_space(dims);
  const hdf5::Id place = hdf5::make_space(dims);
  const hdf5::Id layout = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), "make a property list");
  for (const IndexBlock& block : blocks) {
    const std::array<hsize_t, 3> start{static_cast<hsize_t>(block.rect.y), static_cast<hsize_t>(block.rect.x), 0};
    const std::array<hsize_t, 3> count{static_cast<hsize_t>(block.rect.height), static_cast<hsize_t>(block.rect.width),
                                       dims[2]};
    hdf5::check(H5Sselect_hyperslab(place.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
                "select a block");
    const std::string file = "shards/" + shards[block.shard].name;
    hdf5::check(H5Pset_virtual(layout.get(), place.get(), file.c_str(), source.c_str(), place.get()),
                "map a block of item " + item);
  }
  const hdf5::Id type = hdf5::type_of(output.dtype);
  const hdf5::Id dataset =
      hdf5::own(H5Dcreate2(group, item.c_str(), type.get(), space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                "join item " + item);
  hdf5::write_attribute(dataset.get(), "sources", blocks.size());
}

void write_joined_items(hid_t file, const IndexTable& table, const JournalState& state) {
  const hdf5::Id out = hdf5::create_group(file, "out");
  std::vector<hdf5::Id> groups;
  for (const OutputInfo& output : state.outputs()) {
    const hdf5::Id group = hdf5::create_group(out.get(), output.name);
    hdf5::write_attribute(group.get(), "dtype", name(output.dtype));
    groups.push_back(hdf5::create_group(group.get(), "blocks"));
  }
  const std::span<const IndexBlock> blocks{table.blocks()};
  for (std::size_t begin = 0; begin < blocks.size();) {
    const BlockKey first = blocks[begin].key;
    std::set<std::uint32_t> sources;
    std::size_t end = begin;
    while (end < blocks.size() && blocks[end].key.item == first.item && blocks[end].key.output == first.output) {
      sources.insert(blocks[end++].shard);
    }
    const IndexRow& row = table.row(first.item, first.output);
    // A hole would read as zeros: only whole items are joined.
    if (end - begin == row.blocks && sources.size() <= most_virtual_sources) {
      write_joined(groups[index(first.output)].get(), state.outputs()[index(first.output)], row,
                   blocks.subspan(begin, end - begin), state.shards());
    }
    begin = end;
  }
}

void write_facts(hid_t file, const JournalState& state, const RunTotals& totals) {
  hdf5::write_attribute(file, "kind", "pantile index");
  hdf5::write_attribute(file, "format_version", store_format_version);
  hdf5::write_attribute(file, "outputs", to_json(state.outputs()));
  hdf5::write_attribute(file, "items", totals.items);
  hdf5::write_attribute(file, "done", totals.done);
  hdf5::write_attribute(file, "quarantined", totals.quarantined);
  hdf5::write_attribute(file, "digest", to_string(totals.digest));
}

}  // namespace

RunTotals write_index(const RunLayout& layout, const Catalog& catalog, const JournalState& state) {
  if (catalog.size() != state.items()) {
    throw Error{layout.root.string() + ": catalog.h5 has " + std::to_string(catalog.size()) + " items, the journal " +
                std::to_string(state.items()) + ". Are they of the same run?"};
  }
  IndexTable table{state.items(), state.outputs().size()};
  for (std::size_t at = 0; at < state.shards().size(); ++at) {
    const CommittedShard& shard = state.shards()[at];
    const std::vector<StoredRow> rows = ShardReader{layout.shard(shard.name)}.rows();
    std::uint64_t foreign = 0;
    for (const StoredRow& stored : rows) {
      const BlockKey& key = stored.row.key;
      foreign += index(key.item) >= state.items() || index(key.output) >= state.outputs().size() ? 1 : 0;
    }
    if (rows.size() != shard.rows || foreign > 0 || table.add(static_cast<std::uint32_t>(at), rows) > 0) {
      throw Error{"shard " + shard.name + " does not hold the rows that the journal says. Run `pantile verify`."};
    }
  }
  const RunTotals totals = table.finish(state);
  hdf5::replace_file(layout.index(), [&](hid_t file) {
    write_items(file, table);
    write_blocks(file, table.blocks());
    write_paths(file, catalog);
    write_shards(file, state.shards());
    write_quarantine(file, state);
    write_joined_items(file, table, state);
    write_facts(file, state, totals);
  });
  return totals;
}

}  // namespace pantile
