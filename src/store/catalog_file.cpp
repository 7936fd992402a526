#include "store/catalog_file.hpp"

#include <functional>
#include <string>
#include <vector>

#include "base/hdf5.hpp"
#include "store/format.hpp"

namespace pantile {

namespace {

/// The digest over all columns, in the order in which they are written and read.
class ColumnDigest {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    const std::uint64_t size = values.size();
    hasher_.update(std::as_bytes(std::span{&size, 1}));
    hasher_.update(std::as_bytes(std::span{values}));
  }
  void add(const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      const std::uint64_t size = value.size();
      hasher_.update(std::as_bytes(std::span{&size, 1}));
      hasher_.update(std::as_bytes(std::span{value}));
    }
  }
  [[nodiscard]] std::string text() const { return to_string(hasher_.digest()); }

 private:
  Hasher hasher_;
};

/// Everything in the order of the file; Visit is called as visit("name", vector).
struct Columns {
  std::vector<std::string> roots;
  std::vector<std::uint8_t> path_bytes;
  std::vector<std::uint64_t> path_offset;  ///< size + 1 of them
  std::vector<std::uint16_t> root;
  std::vector<std::uint32_t> height;
  std::vector<std::uint32_t> width;
  std::vector<std::uint8_t> channels;
  std::vector<std::uint8_t> bits;
  std::vector<std::uint8_t> orientation;
  std::vector<std::uint64_t> bytes;
  std::vector<std::int64_t> mtime_ns;
  std::vector<std::uint8_t> format;
  std::vector<std::uint8_t> fault;
  std::vector<std::uint64_t> fault_item;  ///< of the few that have a fault
  std::vector<std::string> fault_detail;

  template <class Visit>
  void each(Visit visit) {
    visit("roots", roots);
    visit("path_bytes", path_bytes);
    visit("path_offset", path_offset);
    visit("root", root);
    visit("height", height);
    visit("width", width);
    visit("channels", channels);
    visit("bits", bits);
    visit("orientation", orientation);
    visit("bytes", bytes);
    visit("mtime_ns", mtime_ns);
    visit("format", format);
    visit("fault", fault);
    visit("fault_item", fault_item);
    visit("fault_detail", fault_detail);
  }
};

Columns to_columns(const Catalog& catalog) {
  Columns columns;
  for (const auto& root : catalog.roots()) {
    columns.roots.push_back(root.string());
  }
  columns.path_offset.push_back(0);
  for (std::uint64_t id = 0; id < catalog.size(); ++id) {
    const CatalogItem item = catalog.item(ItemId{id});
    for (const char c : item.path) {
      columns.path_bytes.push_back(static_cast<std::uint8_t>(c));
    }
    columns.path_offset.push_back(columns.path_bytes.size());
    columns.root.push_back(item.root);
    columns.height.push_back(static_cast<std::uint32_t>(item.extent.height));
    columns.width.push_back(static_cast<std::uint32_t>(item.extent.width));
    columns.channels.push_back(static_cast<std::uint8_t>(item.channels));
    columns.bits.push_back(static_cast<std::uint8_t>(item.bits));
    columns.orientation.push_back(static_cast<std::uint8_t>(item.orientation));
    columns.bytes.push_back(item.bytes);
    columns.mtime_ns.push_back(item.mtime_ns);
    columns.format.push_back(static_cast<std::uint8_t>(item.format));
    columns.fault.push_back(static_cast<std::uint8_t>(item.fault));
    if (!item.detail.empty()) {
      columns.fault_item.push_back(id);
      columns.fault_detail.push_back(item.detail);
    }
  }
  return columns;
}

Catalog to_catalog(const Columns& columns) {
  Catalog catalog;
  for (const std::string& root : columns.roots) {
    catalog.add_root(root);
  }
  std::size_t detail = 0;
  for (std::size_t i = 0; i < columns.root.size(); ++i) {
    CatalogItem item;
    item.path.assign(columns.path_bytes.begin() + static_cast<std::ptrdiff_t>(columns.path_offset[i]),
                     columns.path_bytes.begin() + static_cast<std::ptrdiff_t>(columns.path_offset[i + 1]));
    item.root = columns.root[i];
    item.extent = {static_cast<int>(columns.height[i]), static_cast<int>(columns.width[i])};
    item.channels = columns.channels[i];
    item.bits = columns.bits[i];
    item.orientation = columns.orientation[i];
    item.bytes = columns.bytes[i];
    item.mtime_ns = columns.mtime_ns[i];
    item.format = static_cast<ImageFormat>(columns.format[i]);
    item.fault = static_cast<Fault>(columns.fault[i]);
    if (detail < columns.fault_item.size() && columns.fault_item[detail] == i) {
      item.detail = columns.fault_detail[detail++];
    }
    catalog.append(item);
  }
  return catalog;
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

}  // namespace

void write_catalog(const std::filesystem::path& path, const Catalog& catalog) {
  hdf5::replace_file(path, [&](hid_t file) {
    ColumnDigest digest;
    to_columns(catalog).each([&](const char* name, const auto& values) {
      write(file, name, values);
      digest.add(values);
    });
    hdf5::write_attribute(file, "kind", "pantile catalog");
    hdf5::write_attribute(file, "format_version", store_format_version);
    hdf5::write_attribute(file, "items", catalog.size());
    hdf5::write_attribute(file, "catalog_digest", to_string(catalog.digest()));
    hdf5::write_attribute(file, "columns_digest", digest.text());
  });
}

Catalog read_catalog(const std::filesystem::path& path) {
  try {
    const hdf5::Id file = hdf5::open_file(path);
    if (hdf5::read_text_attribute(file.get(), "kind") != "pantile catalog") {
      throw Error{"it is no catalog"};
    }
    if (const auto version = hdf5::read_number_attribute(file.get(), "format_version");
        version != store_format_version) {
      throw Error{"it has format version " + std::to_string(version) + " (this program reads " +
                  std::to_string(store_format_version) + "). Use the program that wrote it"};
    }
    Columns columns;
    ColumnDigest digest;
    columns.each([&](const char* name, auto& values) {
      read(file.get(), name, values);
      digest.add(values);
    });
    if (digest.text() != hdf5::read_text_attribute(file.get(), "columns_digest")) {
      throw Error{"its columns are not the ones that were written (damaged, or edited)"};
    }
    Catalog catalog = to_catalog(columns);
    if (hdf5::read_text_attribute(file.get(), "catalog_digest") != to_string(catalog.digest()) ||
        hdf5::read_number_attribute(file.get(), "items") != catalog.size()) {
      throw Error{"its attributes are not those of its columns (damaged, or edited)"};
    }
    return catalog;
  } catch (const Error& error) {
    throw Error{"cannot read the catalog " + path.string() + ": " + error.what()};
  }
}

}  // namespace pantile
