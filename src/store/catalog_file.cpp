#include "store/catalog_file.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/hdf5.hpp"

namespace pantile {

namespace {

/// Items are written and read so many at a time: beside the catalog itself nothing large is in memory.
constexpr std::uint64_t slab_items = 65'536;

/// One item as it is on disk, but for its path.
struct Row {
  std::uint16_t root = 0;
  std::uint64_t at = 0;
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::uint8_t channels = 0;
  std::uint8_t bits = 0;
  std::uint8_t orientation = 0;
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::uint8_t format = 0;
  std::uint8_t fault = 0;
};

/// visit("name", member) for each column of items, in the order of the file.
template <class Visit>
void each_column(Visit visit) {
  visit("root", &Row::root);
  visit("at", &Row::at);
  visit("height", &Row::height);
  visit("width", &Row::width);
  visit("channels", &Row::channels);
  visit("bits", &Row::bits);
  visit("orientation", &Row::orientation);
  visit("bytes", &Row::bytes);
  visit("mtime_ns", &Row::mtime_ns);
  visit("format", &Row::format);
  visit("fault", &Row::fault);
}

template <class T>
T member_type(T Row::*);

Row row_of(const CatalogItem& item) {
  return {.root = item.root,
          .at = item.at,
          .height = static_cast<std::uint32_t>(item.extent.height),
          .width = static_cast<std::uint32_t>(item.extent.width),
          .channels = static_cast<std::uint8_t>(item.channels),
          .bits = static_cast<std::uint8_t>(item.bits),
          .orientation = static_cast<std::uint8_t>(item.orientation),
          .bytes = item.bytes,
          .mtime_ns = item.mtime_ns,
          .format = static_cast<std::uint8_t>(item.format),
          .fault = static_cast<std::uint8_t>(item.fault)};
}

CatalogItem item_of(const Row& row) {
  CatalogItem item;
  item.root = row.root;
  item.at = row.at;
  item.extent = {static_cast<int>(row.height), static_cast<int>(row.width)};
  item.channels = row.channels;
  item.bits = row.bits;
  item.orientation = row.orientation;
  item.bytes = row.bytes;
  item.mtime_ns = row.mtime_ns;
  item.format = static_cast<ImageFormat>(row.format);
  item.fault = static_cast<Fault>(row.fault);
  return item;
}

/// Whoever made the file can have made its digests too.
bool makes_sense(const CatalogItem& item) {
  return item.fault <= Fault::killed && item.format <= ImageFormat::jpeg2000 && item.channels <= 4 && item.bits <= 16 &&
         item.orientation >= 1 && item.orientation <= 8 && (item.fault != Fault::none || !item.extent.empty());
}

/// What is not one value an item.
struct Tables {
  std::vector<std::string> roots;
  std::vector<std::uint8_t> root_kind;
  std::vector<std::string> root_dataset;
  std::vector<std::uint64_t> root_bytes;
  std::vector<std::uint64_t> fault_item;  ///< of the few that have something to say
  std::vector<std::string> fault_detail;

  template <class Visit>
  void each(Visit visit) {
    visit("roots", roots);
    visit("root_kind", root_kind);
    visit("root_dataset", root_dataset);
    visit("root_bytes", root_bytes);
    visit("fault_item", fault_item);
    visit("fault_detail", fault_detail);
  }
};

Tables tables_of(const Catalog& catalog) {
  Tables tables;
  for (const CatalogRoot& root : catalog.roots()) {
    tables.roots.push_back(root.path.string());
    tables.root_kind.push_back(static_cast<std::uint8_t>(root.kind));
    tables.root_dataset.push_back(root.dataset);
    tables.root_bytes.push_back(root.bytes);
  }
  for (std::uint64_t id = 0; id < catalog.size(); ++id) {
    if (std::string detail = catalog.detail(ItemId{id}); !detail.empty()) {
      tables.fault_item.push_back(id);
      tables.fault_detail.push_back(std::move(detail));
    }
  }
  return tables;
}

/// The digest over all columns: each has a sum of its own, since they are written and read side by side.
class ColumnDigests {
 public:
  template <class T>
  void add(const std::string& column, std::span<const T> values) {
    of(column).update(std::as_bytes(values));
  }
  void add(const std::string& column, std::span<const std::string> values) {
    for (const std::string& value : values) {
      const std::uint64_t size = value.size();
      of(column).update(std::as_bytes(std::span{&size, 1}));
      of(column).update(std::as_bytes(std::span{value}));
    }
  }
  [[nodiscard]] std::string text() const {
    Hasher all;
    for (const auto& [name, hasher] : columns_) {
      const std::string line = name + " " + to_string(hasher.digest()) + "\n";
      all.update(std::as_bytes(std::span{line}));
    }
    return to_string(all.digest());
  }

 private:
  Hasher& of(const std::string& column) {
    const auto found =
        std::find_if(columns_.begin(), columns_.end(), [&](const auto& known) { return known.first == column; });
    return found != columns_.end() ? found->second : columns_.emplace_back(column, Hasher{}).second;
  }
  std::vector<std::pair<std::string, Hasher>> columns_;
};

void write_items(hid_t file, const Catalog& catalog, ColumnDigests& digests) {
  std::uint64_t path_bytes = 0;
  for (std::uint64_t id = 0; id < catalog.size(); ++id) {
    path_bytes += catalog.path(ItemId{id}).size();
  }
  hdf5::create_column(file, "path_bytes", hdf5::native_type<std::uint8_t>(), path_bytes);
  hdf5::create_column(file, "path_offset", hdf5::native_type<std::uint64_t>(), catalog.size() + 1);
  each_column([&](const char* name, auto member) {
    hdf5::create_column(file, name, hdf5::native_type<decltype(member_type(member))>(), catalog.size());
  });
  const auto put = [&](const char* name, const auto& values, std::uint64_t first) {
    hdf5::write_column_part(file, name, std::span{std::as_const(values)}, first);
    digests.add(name, std::span{std::as_const(values)});
  };
  std::uint64_t path_at = 0;
  put("path_offset", std::vector{path_at}, 0);
  for (std::uint64_t first = 0; first < catalog.size(); first += slab_items) {
    std::vector<Row> rows;
    std::vector<std::uint8_t> paths;
    std::vector<std::uint64_t> offsets;
    const std::uint64_t begin = path_at;
    for (std::uint64_t id = first; id < std::min(first + slab_items, catalog.size()); ++id) {
      const CatalogItem item = catalog.item(ItemId{id});
      paths.insert(paths.end(), item.path.begin(), item.path.end());
      offsets.push_back(begin + paths.size());
      rows.push_back(row_of(item));
    }
    path_at = begin + paths.size();
    put("path_bytes", paths, begin);
    put("path_offset", offsets, first + 1);
    each_column([&](const char* name, auto member) {
      std::vector<decltype(member_type(member))> values;
      values.reserve(rows.size());
      std::transform(rows.begin(), rows.end(), std::back_inserter(values), [&](const Row& row) { return row.*member; });
      put(name, values, first);
    });
  }
}

template <class T>
std::vector<T> get(hid_t file, const char* name, std::uint64_t first, std::uint64_t count, ColumnDigests& digests,
                   std::size_t new_from = 0) {
  std::vector<T> values(count);
  hdf5::read_column_raw(file, name, hdf5::native_type<T>(), values.data(), first, count);
  digests.add(name, std::span<const T>{values}.subspan(new_from));
  return values;
}

void read_items(hid_t file, const Tables& tables, ColumnDigests& digests, Catalog& catalog) {
  const std::uint64_t size = hdf5::column_size(file, "root");
  const std::uint64_t path_bytes = hdf5::column_size(file, "path_bytes");
  catalog.reserve(size, path_bytes);
  std::size_t detail = 0;
  if (get<std::uint64_t>(file, "path_offset", 0, 1, digests).front() != 0) {
    throw Error{"its paths do not begin at 0"};
  }
  for (std::uint64_t first = 0; first < size; first += slab_items) {
    const std::uint64_t count = std::min(slab_items, size - first);
    const auto offsets = get<std::uint64_t>(file, "path_offset", first, count + 1, digests, 1);
    if (!std::is_sorted(offsets.begin(), offsets.end()) || offsets.back() > path_bytes) {
      throw Error{"its path_offset does not grow within path_bytes"};
    }
    const auto paths =
        get<std::uint8_t>(file, "path_bytes", offsets.front(), offsets.back() - offsets.front(), digests);
    std::vector<Row> rows(count);
    each_column([&](const char* name, auto member) {
      const auto values = get<decltype(member_type(member))>(file, name, first, count, digests);
      for (std::size_t i = 0; i < count; ++i) {
        rows[i].*member = values[i];
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      CatalogItem item = item_of(rows[i]);
      item.path.assign(reinterpret_cast<const char*>(paths.data()) + (offsets[i] - offsets.front()),
                       offsets[i + 1] - offsets[i]);
      if (detail < tables.fault_item.size() && tables.fault_item[detail] == first + i) {
        item.detail = tables.fault_detail[detail++];
      }
      if (item.root >= tables.roots.size()) {
        throw Error{"an item lies in an input that is not there"};
      }
      if (!makes_sense(item)) {
        throw Error{"the facts of item " + std::to_string(first + i) + " make no sense"};
      }
      catalog.append(item);
    }
  }
}

void write(hid_t file, const char* name, const std::vector<std::string>& values) {
  hdf5::write_strings(file, name, values);
}
template <class T>
void write(hid_t file, const char* name, const std::vector<T>& values) {
  hdf5::write_column(file, name, values);
}
void read(hid_t file, const char* name, std::vector<std::string>& values) { values = hdf5::read_strings(file, name); }
template <class T>
void read(hid_t file, const char* name, std::vector<T>& values) {
  values = hdf5::read_column<T>(file, name);
}

Tables read_tables(hid_t file, ColumnDigests& digests) {
  Tables tables;
  tables.each([&](const char* name, auto& values) {
    read(file, name, values);
    digests.add(name, std::span{std::as_const(values)});
  });
  const std::size_t roots = tables.roots.size();
  if (tables.root_kind.size() != roots || tables.root_dataset.size() != roots || tables.root_bytes.size() != roots ||
      tables.fault_item.size() != tables.fault_detail.size()) {
    throw Error{"its columns are of different lengths"};
  }
  return tables;
}

void expect_catalog(hid_t file) {
  if (hdf5::read_text_attribute(file, "kind") != "pantile catalog") {
    throw Error{"it is no catalog"};
  }
  expect_known_format(hdf5::read_number_attribute(file, "format_version"));
}

std::string digest_attribute(const std::filesystem::path& path) {
  return hdf5::read_text_attribute(hdf5::open_file(path).get(), "catalog_digest");
}

}  // namespace

void write_catalog(const std::filesystem::path& path, const Catalog& catalog) {
  write_catalog(path, catalog, catalog.digest());
}

void write_catalog(const std::filesystem::path& path, const Catalog& catalog, const Hash128& first_digest) {
  hdf5::replace_file(path, [&](hid_t file) {
    ColumnDigests digests;
    tables_of(catalog).each([&](const char* name, const auto& values) {
      write(file, name, values);
      digests.add(name, std::span{values});
    });
    write_items(file, catalog, digests);
    hdf5::write_attribute(file, "kind", "pantile catalog");
    hdf5::write_attribute(file, "format_version", store_format_version);
    hdf5::write_attribute(file, "items", catalog.size());
    hdf5::write_attribute(file, "catalog_digest", to_string(catalog.digest()));
    hdf5::write_attribute(file, "first_digest", to_string(first_digest));
    hdf5::write_attribute(file, "columns_digest", digests.text());
  });
}

StoredCatalog read_stored_catalog(const std::filesystem::path& path) {
  try {
    const hdf5::Id file = hdf5::open_file(path);
    expect_catalog(file.get());
    StoredCatalog stored;
    ColumnDigests digests;
    const Tables tables = read_tables(file.get(), digests);
    for (std::size_t i = 0; i < tables.roots.size(); ++i) {
      if (tables.root_kind[i] > static_cast<std::uint8_t>(RootKind::stack)) {
        throw Error{"it names an input of an unknown kind"};
      }
      stored.catalog.add_root({.kind = static_cast<RootKind>(tables.root_kind[i]),
                               .path = tables.roots[i],
                               .dataset = tables.root_dataset[i],
                               .bytes = tables.root_bytes[i]});
    }
    read_items(file.get(), tables, digests, stored.catalog);
    if (digests.text() != hdf5::read_text_attribute(file.get(), "columns_digest")) {
      throw Error{"its columns are not the ones that were written (damaged, or edited)"};
    }
    const auto first = parse_hash128(hdf5::read_text_attribute(file.get(), "first_digest"));
    if (hdf5::read_text_attribute(file.get(), "catalog_digest") != to_string(stored.catalog.digest()) || !first ||
        hdf5::read_number_attribute(file.get(), "items") != stored.catalog.size()) {
      throw Error{"its attributes are not those of its columns (damaged, or edited)"};
    }
    stored.first_digest = *first;
    return stored;
  } catch (const ForeignFormat& error) {
    throw ForeignFormat{"cannot read the catalog " + path.string() + ": " + error.what()};
  } catch (const Error& error) {
    throw Error{"cannot read the catalog " + path.string() + ": " + error.what()};
  }
}

Catalog read_catalog(const std::filesystem::path& path) { return read_stored_catalog(path).catalog; }

StoredCatalog read_run_catalog(const RunLayout& layout, const Hash128& digest) {
  const bool next =
      std::filesystem::exists(layout.next_catalog()) && digest_attribute(layout.next_catalog()) == to_string(digest);
  return read_stored_catalog(next ? layout.next_catalog() : layout.catalog());
}

void adopt_next_catalog(const RunLayout& layout, const Hash128& digest, Disk& disk) {
  if (!disk.exists(layout.next_catalog())) {
    return;
  }
  if (digest_attribute(layout.next_catalog()) == to_string(digest)) {
    disk.rename(layout.next_catalog(), layout.catalog());
  } else {
    disk.remove(layout.next_catalog());
  }
  disk.sync_folder(layout.root);
}

}  // namespace pantile
