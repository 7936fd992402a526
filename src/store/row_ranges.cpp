#include "store/row_ranges.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "image/block_grid.hpp"

namespace pantile {

std::vector<RowRange> to_ranges(std::span<const BlockRow> rows) {
  std::vector<RowRange> single;
  single.reserve(rows.size());
  for (const BlockRow& row : rows) {
    single.push_back({.output = row.key.output,
                      .item = row.key.item,
                      .block = row.key.block,
                      .of_blocks = BlockGrid{row.item_extent}.size()});
  }
  std::sort(single.begin(), single.end(), [](const RowRange& a, const RowRange& b) {
    return std::tie(a.output, a.item, a.block) < std::tie(b.output, b.item, b.block);
  });
  std::vector<RowRange> ranges;
  for (const RowRange& next : single) {
    if (!ranges.empty() && ranges.back().output == next.output && ranges.back().of_blocks == next.of_blocks) {
      RowRange& last = ranges.back();
      if (next.of_blocks == 1 && index(next.item) == index(last.item) + last.items) {
        ++last.items;
        continue;
      }
      if (next.of_blocks > 1 && next.item == last.item && index(next.block) == index(last.block) + last.blocks) {
        ++last.blocks;
        continue;
      }
    }
    ranges.push_back(next);
  }
  return ranges;
}

namespace {

/// Seven bits a byte, low ones first; the top bit says that more follow.
void put_varint(Writer& writer, std::uint64_t value) {
  while (value >= 0x80) {
    writer.put(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7U;
  }
  writer.put(static_cast<std::uint8_t>(value));
}

/// In the one form that put_varint() gives it.
std::uint64_t get_varint(Reader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = reader.get<std::uint8_t>();
    const std::uint64_t part = std::uint64_t{byte & 0x7fU} << shift;
    if (part >> shift != (byte & 0x7fU) || (byte == 0 && shift > 0)) {
      break;
    }
    value |= part;
    if (byte < 0x80) {
      return value;
    }
  }
  throw WireError{"a number in a list of rows is too long"};
}

template <class Number>
Number get_number(Reader& reader) {
  const std::uint64_t value = get_varint(reader);
  if (value > std::numeric_limits<Number>::max()) {
    throw WireError{"a number in a list of rows is too large"};
  }
  return static_cast<Number>(value);
}

}  // namespace

// A range is: output, item (from the last one's of the same output), blocks of the item, then how many items, or which
// blocks.
Bytes encode_ranges(std::span<const RowRange> ranges) {
  Writer writer;
  RowRange last;
  for (const RowRange& range : ranges) {
    if (range.output != last.output) {
      last = {};
    }
    expect(range.output >= last.output && range.item >= last.item, "row ranges are sorted");
    put_varint(writer, index(range.output));
    put_varint(writer, index(range.item) - index(last.item));
    put_varint(writer, range.of_blocks);
    if (range.of_blocks == 1) {
      put_varint(writer, range.items);
    } else {
      put_varint(writer, index(range.block));
      put_varint(writer, range.blocks);
    }
    last = range;
  }
  return std::move(writer).bytes();
}

std::vector<RowRange> decode_ranges(std::span<const std::byte> bytes) {
  Reader reader{bytes};
  std::vector<RowRange> ranges;
  RowRange last;
  while (reader.left() > 0) {
    RowRange range;
    range.output = OutputId{get_number<std::uint16_t>(reader)};
    if (range.output < last.output) {
      throw WireError{"a list of rows is not in order"};
    }
    if (range.output != last.output) {
      last = {};
    }
    const std::uint64_t further = get_varint(reader);
    if (further > std::numeric_limits<std::uint64_t>::max() - index(last.item)) {
      throw WireError{"a list of rows names an item beyond all numbers"};
    }
    range.item = ItemId{index(last.item) + further};
    range.of_blocks = get_number<std::uint32_t>(reader);
    if (range.of_blocks == 1) {
      range.items = get_varint(reader);
    } else {
      range.block = BlockId{get_number<std::uint32_t>(reader)};
      range.blocks = get_number<std::uint32_t>(reader);
    }
    ranges.push_back(range);
    last = range;
  }
  return ranges;
}

}  // namespace pantile
