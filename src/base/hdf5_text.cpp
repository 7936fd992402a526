// Texts and attributes: what is not a column of numbers.

#include <algorithm>
#include <cstring>

#include "base/hdf5.hpp"

namespace pantile::hdf5 {

namespace {

constexpr std::size_t largest_attribute = 60'000;  // an attribute must fit in an object header message: 64 KiB

Id string_type(std::size_t width) {
  Id type = own(H5Tcopy(H5T_C_S1), "make a string type");
  check(H5Tset_size(type.get(), std::max<std::size_t>(width, 1)), "set the width of a string type");
  check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "set the padding of a string type");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "set the character set of a string type");
  return type;
}

/// Width of a fixed-width string type; throws for anything else.
std::size_t string_width(hid_t type, const std::string& name) {
  if (H5Tget_class(type) != H5T_STRING || check(H5Tis_variable_str(type), "look at " + name) != 0) {
    throw Error{"cannot read " + name + ": it is not a string of fixed width"};
  }
  return H5Tget_size(type);
}

void write_attribute_raw(hid_t object, const std::string& name, hid_t type, const void* value) {
  const Id space = own(H5Screate(H5S_SCALAR), "make a dataspace");
  const Id attribute = own(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                           "create the attribute " + name);
  check(H5Awrite(attribute.get(), type, value), "write the attribute " + name);
}

std::string trimmed(const char* chars, std::size_t width) { return {chars, ::strnlen(chars, width)}; }

}  // namespace

void write_strings(hid_t parent, const std::string& name, std::span<const std::string> values) {
  std::size_t width = 1;
  for (const std::string& value : values) {
    width = std::max(width, value.size());
  }
  std::string chars(width * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i].copy(chars.data() + i * width, width);
  }
  write_column_raw(parent, name, string_type(width).get(), chars.data(), values.size());
}

std::vector<std::string> read_strings(hid_t parent, const std::string& name) {
  const std::size_t count = column_size(parent, name);
  std::size_t width = 0;
  {
    const Id dataset = open_dataset(parent, name);
    width = string_width(own(H5Dget_type(dataset.get()), "get the type of " + name).get(), name);
  }
  std::string chars(width * count, '\0');
  read_column_raw(parent, name, string_type(width).get(), chars.data(), 0, count);
  std::vector<std::string> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(trimmed(chars.data() + i * width, width));
  }
  return values;
}

void write_attribute(hid_t object, const std::string& name, std::uint64_t value) {
  write_attribute_raw(object, name, H5T_NATIVE_UINT64, &value);
}

void write_attribute(hid_t object, const std::string& name, std::string_view text) {
  const std::string padded{text.empty() ? std::string_view{"", 1} : text};  // a string type has at least one byte
  write_attribute_raw(object, name, string_type(padded.size()).get(), padded.data());
}

void write_text(hid_t group, const std::string& name, std::string_view text) {
  if (text.size() <= largest_attribute) {
    write_attribute(group, name, text);
    return;
  }
  const Id space = own(H5Screate(H5S_SCALAR), "make a dataspace");
  const Id type = string_type(text.size());
  const Id dataset =
      own(H5Dcreate2(group, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
          "create " + name);
  check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "write " + name);
}

std::string read_text(hid_t group, const std::string& name) {
  if (check(H5Aexists(group, name.c_str()), "look for the attribute " + name) > 0) {
    return read_text_attribute(group, name);
  }
  const Id dataset = open_dataset(group, name);
  const Id type = own(H5Dget_type(dataset.get()), "get the type of " + name);
  const std::size_t width = string_width(type.get(), name);
  const Id space = own(H5Dget_space(dataset.get()), "get a dataspace");
  if (H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error{name + " is not a single text"};
  }
  expect_in_file(dataset.get(), 1, width, name);
  std::string chars(width, '\0');
  check(H5Dread(dataset.get(), string_type(width).get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, chars.data()), "read " + name);
  return trimmed(chars.data(), width);
}

std::uint64_t read_number_attribute(hid_t object, const std::string& name) {
  const Id attribute = own(H5Aopen(object, name.c_str(), H5P_DEFAULT), "open the attribute " + name);
  const Id space = own(H5Aget_space(attribute.get()), "get a dataspace");
  if (H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error{"the attribute " + name + " is not a single number"};
  }
  std::uint64_t value = 0;
  check(H5Aread(attribute.get(), H5T_NATIVE_UINT64, &value), "read the attribute " + name);
  return value;
}

std::string read_text_attribute(hid_t object, const std::string& name) {
  const Id attribute = own(H5Aopen(object, name.c_str(), H5P_DEFAULT), "open the attribute " + name);
  const Id type = own(H5Aget_type(attribute.get()), "get the type of " + name);
  const Id space = own(H5Aget_space(attribute.get()), "get a dataspace");
  const std::size_t width = string_width(type.get(), name);
  if (H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error{"the attribute " + name + " is not a single text"};
  }
  std::string chars(width, '\0');
  check(H5Aread(attribute.get(), string_type(width).get(), chars.data()), "read the attribute " + name);
  return trimmed(chars.data(), width);
}

}  // namespace pantile::hdf5
