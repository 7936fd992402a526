#pragma once
// The serial HDF5 C API behind a thin RAII. All HDF5 calls of a process happen on one thread: the caller sees to it.
//
// An error is final for the file it happened in: HDF5 may report success afterwards and still have lost rows
// (facts of ours: after ENOSPC in the chunk cache, H5Dwrite, H5Dclose and H5Fclose all returned 0). So check() throws,
// and the file is given up.

// Newer libraries keep the interface of 1.10 for who asks for it.
#define H5_USE_110_API  // NOLINT(cppcoreguidelines-macro-usage): the library looks for it
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/disk.hpp"
#include "base/error.hpp"
#include "base/handle.hpp"
#include "base/records.hpp"

namespace pantile::hdf5 {

struct CloseId {
  using Raw = hid_t;
  static Raw null() noexcept { return H5I_INVALID_HID; }
  static void free(Raw id) noexcept;
};
/// Owns one id of any kind: file, group, dataset, dataspace, datatype, property list, attribute.
using Id = Handle<CloseId>;

/// Silences HDF5's own printing, turns off its locks (Lustre without flock refuses them; we have a lock of our own) and
/// its atexit hook (it crashes after a failed close). Idempotent; every function below that opens or creates a file
/// calls it.
void initialise();

/// The Error for the HDF5 call that just failed: "cannot DOING: what the library says", with errno if it names one.
[[nodiscard]] SystemError failed(std::string_view doing);

/// Passes a result of HDF5 through; throws failed(doing) if it is negative.
template <class Code>
Code check(Code code, std::string_view doing) {
  static_assert(std::is_signed_v<Code>, "HDF5 reports errors as negative numbers");
  if (code < 0) [[unlikely]] {
    throw failed(doing);
  }
  return code;
}
/// The same for calls that return a new id, which it owns.
[[nodiscard]] inline Id own(hid_t id, std::string_view doing) { return Id{check(id, doing)}; }

/// Creates or replaces a file whose superblock HDF5 1.8 can read.
[[nodiscard]] Id create_file(const std::filesystem::path& path);
/// Opens for reading only. Throws Error if the file is missing or is not HDF5.
[[nodiscard]] Id open_file(const std::filesystem::path& path);
/// Closes a file for good and says whether that worked: throws if it fails, or if ids in it are still open.
void close_file(Id file, const std::filesystem::path& path);
/// Gives up a file after an error: removes it and frees its space, but leaves HDF5's objects alone, since closing a
/// file after a failed write crashes. Never throws.
void abandon_file(Id file, const std::filesystem::path& path) noexcept;
/// Builds a file beside `path` with `fill`, closes, syncs and renames it, and syncs the folder: readers see the old
/// file or the new one, never a part, and a power cut does not change that. Throws what `fill` throws; nothing is left
/// then.
void replace_file(const std::filesystem::path& path, const std::function<void(hid_t file)>& fill,
                  Disk& disk = real_disk());
/// Ids that this process has open, of all kinds in all files.
[[nodiscard]] std::int64_t open_ids();

[[nodiscard]] Id create_group(hid_t parent, const std::string& name);
/// What lies in the file itself: external links are not followed, and a dataset that is made of other files is refused.
[[nodiscard]] Id open_group(hid_t parent, const std::string& name);
[[nodiscard]] Id open_dataset(hid_t parent, const std::string& name);
[[nodiscard]] bool exists(hid_t parent, const std::string& name);
/// A simple dataspace of fixed size.
[[nodiscard]] Id make_space(std::span<const hsize_t> dims);
/// Size of a dataset along each axis.
[[nodiscard]] std::vector<hsize_t> dims_of(hid_t dataset);
/// The HDF5 type of one value; float16 is IEEE half, as h5py knows it.
[[nodiscard]] Id type_of(DType dtype);

template <class T>
[[nodiscard]] hid_t native_type() {
  if constexpr (std::is_same_v<T, float>) {
    return H5T_NATIVE_FLOAT;
  } else if constexpr (std::is_same_v<T, double>) {
    return H5T_NATIVE_DOUBLE;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return H5T_NATIVE_INT32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return H5T_NATIVE_INT64;
  } else if constexpr (std::is_same_v<T, std::uint16_t>) {
    return H5T_NATIVE_UINT16;
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    return H5T_NATIVE_UINT32;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return H5T_NATIVE_UINT64;
  } else {
    static_assert(sizeof(T) == 1, "add the type here");
    return H5T_NATIVE_UINT8;
  }
}

/// Without the type: `count` values at `values`, as a new contiguous 1-D dataset.
void write_column_raw(hid_t parent, const std::string& name, hid_t type, const void* values, std::size_t count);
/// A new contiguous 1-D dataset of `count` values, to be written in parts.
void create_column(hid_t parent, const std::string& name, hid_t type, std::size_t count);
/// Without the type: `count` values at `values` into an existing column, from `first` on. Precondition: they fit.
void write_column_part_raw(hid_t parent, const std::string& name, hid_t type, const void* values, std::size_t first,
                           std::size_t count);
/// Without the type: `count` values from `first` on; throws Error if the column is not 1-D or not that long.
void read_column_raw(hid_t parent, const std::string& name, hid_t type, void* values, std::size_t first,
                     std::size_t count);
/// Throws Error if `count` values of `size` bytes are more than the file of `object` has: nobody may take memory for
/// them then. What we write is not compressed.
void expect_in_file(hid_t object, std::uint64_t count, std::size_t size, const std::string& name);
/// Values in a 1-D dataset; throws Error if it is not 1-D, larger than its file, or in another one.
[[nodiscard]] std::size_t column_size(hid_t parent, const std::string& name);

template <class T>
void write_column(hid_t parent, const std::string& name, std::span<const T> values) {
  write_column_raw(parent, name, native_type<T>(), values.data(), values.size());
}
template <class T>
void write_column(hid_t parent, const std::string& name, const std::vector<T>& values) {
  write_column(parent, name, std::span<const T>{values});
}
template <class T>
void write_column_part(hid_t parent, const std::string& name, std::span<const T> values, std::size_t first) {
  write_column_part_raw(parent, name, native_type<T>(), values.data(), first, values.size());
}
template <class T>
[[nodiscard]] std::vector<T> read_column(hid_t parent, const std::string& name) {
  std::vector<T> values(column_size(parent, name));
  read_column_raw(parent, name, native_type<T>(), values.data(), 0, values.size());
  return values;
}
template <class T>
[[nodiscard]] T read_value(hid_t parent, const std::string& name, std::size_t at) {
  T value{};
  read_column_raw(parent, name, native_type<T>(), &value, at, 1);
  return value;
}

/// Strings of one fixed width (that of the longest), UTF-8, NUL-padded: plain h5py reads them as bytes.
void write_strings(hid_t parent, const std::string& name, std::span<const std::string> values);
[[nodiscard]] std::vector<std::string> read_strings(hid_t parent, const std::string& name);

void write_attribute(hid_t object, const std::string& name, std::uint64_t value);
void write_attribute(hid_t object, const std::string& name, std::string_view text);
/// A text of any length: an attribute or, beyond the 64 KiB that an attribute can hold, a scalar dataset of that name.
void write_text(hid_t group, const std::string& name, std::string_view text);
[[nodiscard]] std::string read_text(hid_t group, const std::string& name);
[[nodiscard]] std::uint64_t read_number_attribute(hid_t object, const std::string& name);
[[nodiscard]] std::string read_text_attribute(hid_t object, const std::string& name);

}  // namespace pantile::hdf5
