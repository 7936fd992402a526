#include "store/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.hpp"
#include "source/catalog.hpp"
#include "store/catalog_file.hpp"
#include "store/index_reader.hpp"
#include "store/journal_state.hpp"
#include "store/run_folder.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

constexpr std::size_t most_named = 20;

double levels_between(const std::byte* one, const std::byte* other, DType dtype) {
  const auto load = [](const std::byte* at, auto value) {
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(value);
  };
  double levels = std::numeric_limits<double>::infinity();
  switch (dtype) {
    case DType::u8: levels = load(one, std::uint8_t{}) - load(other, std::uint8_t{}); break;
    case DType::u16: levels = (load(one, std::uint16_t{}) - load(other, std::uint16_t{})) / 257; break;
    case DType::f32: levels = (load(one, float{}) - load(other, float{})) * 255; break;
    case DType::f16: break;
  }
  return std::isnan(levels) ? std::numeric_limits<double>::infinity() : std::abs(levels);
}

/// A run with all of its table in memory.
struct Side {
  explicit Side(const RunLayout& run)
      : layout{run},
        catalog{read_run_catalog(run, read_journal(run.journal()).catalog_digest()).catalog},
        reader{run},
        rows{reader.rows()} {
    if (rows.size() != reader.items() * reader.outputs().size() || reader.items() != catalog.size()) {
      throw Error{fmt::format("{} does not fit the catalog of its run. Run the job again: it makes the index anew.",
                              run.index().string())};
    }
  }
  [[nodiscard]] const IndexRow& row(ItemId item, std::size_t output) const {
    return rows[index(item) * reader.outputs().size() + output];
  }
  [[nodiscard]] std::string key(ItemId item) const {
    return fmt::format("{} {}", catalog.root(item), catalog.path(item));
  }

  RunLayout layout;
  Catalog catalog;
  IndexReader reader;
  std::vector<IndexRow> rows;
};

class Comparer {
 public:
  Comparer(const RunLayout& here, const RunLayout& there, double tolerance)
      : here_{here},
        there_{there},
        tolerance_{tolerance},
        same_ids_{here_.catalog.digest() == there_.catalog.digest()} {}

  Comparison run() {
    std::unordered_map<std::string, ItemId> others;
    for (std::uint64_t item = 0; !same_ids_ && item < there_.catalog.size(); ++item) {
      others.emplace(there_.key(ItemId{item}), ItemId{item});
    }
    for (std::uint64_t i = 0; i < here_.catalog.size(); ++i) {
      const ItemId item{i};
      if (same_ids_) {
        compare_item(item, item);
      } else if (const auto found = others.find(here_.key(item)); found != others.end()) {
        compare_item(item, found->second);
        others.erase(found);
      } else {
        unmatched(here_, item, result_.only_here, "the other run has no such item");
      }
    }
    std::set<ItemId> left;
    for (const auto& [key, item] : others) {
      left.insert(item);
    }
    for (const ItemId item : left) {
      unmatched(there_, item, result_.only_there, "only the other run has this item");
    }
    if (!result_.same() || result_.within > 0) {
      result_.classes[0] = device_classes(here_);
      result_.classes[1] = device_classes(there_);
      result_.settings = diff_lines(read_identity(here_.layout).text, read_identity(there_.layout).text);
    }
    return std::move(result_);
  }

 private:
  void only(std::uint64_t& count, std::string_view path, std::string_view why) {
    ++count;
    if (result_.only.size() < most_named) {
      result_.only.push_back(fmt::format("{}: {}", path, why));
    }
  }

  void unmatched(const Side& side, ItemId item, std::uint64_t& count, std::string_view why) {
    for (std::size_t output = 0; output < side.reader.outputs().size(); ++output) {
      if (side.row(item, output).status == ItemStatus::done) {
        only(count, side.catalog.path(item), why);
      } else {
        ++result_.neither;
      }
    }
  }

  void compare_item(ItemId one, ItemId other) {
    const std::vector<OutputInfo>& outputs = here_.reader.outputs();
    for (std::size_t output = 0; output < outputs.size(); ++output) {
      const std::optional<std::size_t> match = output_there(outputs[output].name);
      const bool is_here = here_.row(one, output).status == ItemStatus::done;
      const bool is_there = match && there_.row(other, *match).status == ItemStatus::done;
      if (is_here && is_there) {
        compare_output(one, output, other, *match);
      } else if (is_here) {
        only(result_.only_here, here_.catalog.path(one), "the other run has no result of it");
      } else if (is_there) {
        only(result_.only_there, here_.catalog.path(one), "only the other run has a result of it");
      } else {
        ++result_.neither;
      }
    }
  }

  std::optional<std::size_t> output_there(const std::string& name) const {
    const std::vector<OutputInfo>& outputs = there_.reader.outputs();
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const OutputInfo& output) { return output.name == name; });
    return found == outputs.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - outputs.begin())};
  }

  void compare_output(ItemId one, std::size_t output_one, ItemId other, std::size_t output_other) {
    const IndexRow& row = here_.row(one, output_one);
    const OutputInfo& info = here_.reader.outputs()[output_one];
    // A digest is over the ids too.
    if (one == other && output_one == output_other && row.digest == there_.row(other, output_other).digest) {
      ++result_.equal;
      return;
    }
    ItemDifference difference{.path = std::string{here_.catalog.path(one)}, .output = info.name};
    try {
      if (!differs(here_.reader.read_pixels(one, OutputId{static_cast<std::uint16_t>(output_one)}),
                   there_.reader.read_pixels(other, OutputId{static_cast<std::uint16_t>(output_other)}), difference)) {
        return;
      }
    } catch (const Error& error) {
      difference.what = error.what();
    }
    result_.items.push_back(std::move(difference));
  }

  /// True if that is more than is allowed.
  bool differs(const ItemPixels& one, const ItemPixels& other, ItemDifference& difference) {
    if (one.extent != other.extent || one.channels != other.channels || one.dtype != other.dtype) {
      difference.what =
          fmt::format("{}, {} channels of {} here; {}, {} channels of {} there", to_string(one.extent), one.channels,
                      name(one.dtype), to_string(other.extent), other.channels, name(other.dtype));
      return true;
    }
    difference.pixels = difference_of(one.values, other.values, one.dtype, one.channels);
    if (difference.pixels.pixels == 0) {
      ++result_.equal;
      return false;
    }
    if (difference.pixels.largest > result_.largest) {
      result_.largest = difference.pixels.largest;
      result_.largest_path = difference.path;
    }
    if (difference.pixels.largest <= tolerance_) {
      ++result_.within;
      return false;
    }
    difference.what = in_words(difference.pixels);
    return true;
  }

  static std::vector<std::string> device_classes(const Side& side) {
    std::set<std::string> classes;
    for (const std::string& name : side.reader.shard_names()) {
      for (const StoredRow& stored : ShardReader{side.layout.shard(name)}.rows()) {
        classes.insert(stored.row.device_class);
      }
    }
    return {classes.begin(), classes.end()};
  }

  Side here_;
  Side there_;
  double tolerance_;
  bool same_ids_;
  Comparison result_;
};

}  // namespace

std::string in_words(const PixelDifference& difference) {
  return fmt::format("{} of {} pixels differ, the most by {:.4g} of 255", difference.pixels, difference.of_pixels,
                     difference.largest);
}

PixelDifference difference_of(std::span<const std::byte> one, std::span<const std::byte> other, DType dtype,
                              int channels) {
  const std::size_t value_bytes = size_of(dtype);
  const std::size_t pixel_bytes = value_bytes * static_cast<std::size_t>(channels);
  expect(one.size() == other.size() && one.size() % pixel_bytes == 0, "two outputs of one size are compared");
  PixelDifference difference{.of_pixels = one.size() / pixel_bytes};
  for (std::size_t pixel = 0; pixel < one.size(); pixel += pixel_bytes) {
    if (std::memcmp(one.data() + pixel, other.data() + pixel, pixel_bytes) == 0) {
      continue;
    }
    ++difference.pixels;
    for (std::size_t at = pixel; at < pixel + pixel_bytes; at += value_bytes) {
      if (std::memcmp(one.data() + at, other.data() + at, value_bytes) != 0) {
        difference.largest = std::max(difference.largest, levels_between(one.data() + at, other.data() + at, dtype));
      }
    }
  }
  return difference;
}

Comparison compare_runs(const RunLayout& here, const RunLayout& there, double tolerance) {
  return Comparer{here, there, tolerance}.run();
}

}  // namespace pantile
