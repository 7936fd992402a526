#include "base/hdf5.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace pantile::hdf5 {

namespace {

/// What the error stack tells: the innermost error, which knows most, is visited last.
struct Reason {
  std::string text;
  int number = 0;    ///< errno, if a system call is to blame
  std::string file;  ///< and which file it was about
};

herr_t remember(unsigned /*depth*/, const H5E_error2_t* error, void* data) {
  auto& reason = *static_cast<Reason*>(data);
  reason.text = error->desc == nullptr ? "" : error->desc;
  // "file write failed: time = …, filename = '…', file descriptor = 5, errno = 28, error message = 'No space left …'"
  constexpr std::string_view mark = "errno = ";
  if (const auto at = reason.text.rfind(mark); at != std::string::npos) {
    reason.number = std::atoi(reason.text.c_str() + at + mark.size());
    constexpr std::string_view name = "name = '";
    const auto begin = reason.text.find(name);
    reason.file = begin == std::string::npos ? "" : reason.text.substr(begin + name.size());
    reason.file.resize(std::min(reason.file.size(), reason.file.find('\'')));
  }
  return 0;
}

/// File access as everywhere here: an id left open in a file makes closing it fail, rather than keep it open in secret.
Id file_access() {
  Id access = own(H5Pcreate(H5P_FILE_ACCESS), "make a property list");
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_SEMI), "set the close degree");
  return access;
}

/// Objects that could not be closed. A small dataset is written then only: an error is lost rows, and the file closes
/// without one. So it dooms the file.
class FailedCloses {
 public:
  void add(hid_t file, SystemError error) {
    const std::scoped_lock lock{mutex_};
    any_ = true;
    doomed_.emplace(file, std::move(error));
  }
  /// Throws what went wrong in the file, if anything did.
  void expect_none(hid_t file) {
    const std::scoped_lock lock{mutex_};
    if (const auto found = doomed_.find(file); found != doomed_.end()) {
      throw SystemError{found->second};
    }
  }
  /// From then on HDF5 has ids of objects that it has freed. To count what is open would look at them.
  [[nodiscard]] bool any() const noexcept { return any_; }

 private:
  std::mutex mutex_;
  std::map<hid_t, SystemError> doomed_;  // Ids are not used twice.
  std::atomic<bool> any_ = false;
};

FailedCloses& failed_closes() {
  static FailedCloses closes;
  return closes;
}

Id file_of(hid_t object) {
  const H5I_type_t type = H5Iget_type(object);
  return Id{type == H5I_DATASET || type == H5I_GROUP || type == H5I_ATTR ? H5Iget_file_id(object) : H5I_INVALID_HID};
}

}  // namespace

void CloseId::free(Raw id) noexcept {
  const Id file = file_of(id);  // afterwards nobody could tell
  if (H5Idec_ref(id) < 0) {
    failed_closes().add(file.get(), failed("close an object of a file"));
  }
}

void initialise() {
  static const bool once = [] {
    ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    H5dont_atexit();
    return true;
  }();
  // A thread-safe HDF5 keeps an error stack, and whether it prints it, for each thread.
  thread_local const bool silent = [] { return H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0; }();
  static_cast<void>(once);
  static_cast<void>(silent);
}

SystemError failed(std::string_view doing) {
  Reason reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, remember, &reason);
  std::string text = "HDF5 cannot " + std::string{doing};
  if (reason.number == 0) {
    return {text + ": " + (reason.text.empty() ? "no reason given" : reason.text), 0};
  }
  if (!reason.file.empty() && text.find(reason.file) == std::string::npos) {
    text += " in " + reason.file;
  }
  return system_error(text, reason.number);
}

Id create_file(const std::filesystem::path& path) {
  initialise();
  remove_link(path);
  const Id access = file_access();
  return own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), "create " + path.string());
}

Id open_file(const std::filesystem::path& path) {
  initialise();
  expect_file(path);
  const Id access = file_access();
  return own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), "open " + path.string());
}

void close_file(Id file, const std::filesystem::path& path) {
  const hid_t id = file.release();  // A close that fails must not be tried again by the handle, that crashes HDF5 1.10.
  failed_closes().expect_none(id);
  if (!failed_closes().any()) {
    const auto open = check(H5Fget_obj_count(id, H5F_OBJ_ALL), "count what is open in " + path.string());
    expect(open == 1, "nothing in a file is open when it is closed");
  }
  if (H5Fclose(id) < 0) {
    SystemError error = failed("close " + path.string());
    failed_closes().add(id, error);
    throw error;
  }
}

void abandon_file(Id file, const std::filesystem::path& path) noexcept {
  // HDF5 keeps the descriptor open until the process ends, and with it the space of a file that is only unlinked.
  static_cast<void>(file.release());
  static_cast<void>(!::truncate(path.c_str(), 0));
  ::unlink(path.c_str());
}

void replace_file(const std::filesystem::path& path, const std::function<void(hid_t)>& fill, Disk& disk) {
  std::filesystem::path temporary = path;
  temporary += ".tmp-" + std::to_string(::getpid());
  Id file = create_file(temporary);
  try {
    fill(file.get());
  } catch (...) {
    abandon_file(std::move(file), temporary);
    throw;
  }
  try {
    close_file(std::move(file), temporary);
    publish(disk, *disk.open(temporary, Access::change), temporary, path);
  } catch (...) {
    try_to_remove(disk, temporary);
    throw;
  }
}

std::int64_t open_ids() {
  initialise();
  return check(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), "count what is open");
}

Id create_group(hid_t parent, const std::string& name) {
  return own(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "create the group " + name);
}

Id make_space(std::span<const hsize_t> dims) {
  return own(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), "make a dataspace");
}

std::vector<hsize_t> dims_of(hid_t dataset) {
  const Id space = own(H5Dget_space(dataset), "get a dataspace");
  std::vector<hsize_t> dims(
      static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), "count dimensions")));
  check(H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr), "get the size of a dataset");
  return dims;
}

Id type_of(DType dtype) {
  switch (dtype) {
    case DType::u8: return own(H5Tcopy(H5T_STD_U8LE), "make a type");
    case DType::u16: return own(H5Tcopy(H5T_STD_U16LE), "make a type");
    case DType::f32: return own(H5Tcopy(H5T_IEEE_F32LE), "make a type");
    case DType::f16: break;
  }
  // sign at bit 15, 5 bits of exponent from bit 10, 10 of mantissa from bit 0
  Id half = own(H5Tcopy(H5T_IEEE_F32LE), "make a type");
  check(H5Tset_fields(half.get(), 15, 10, 5, 0, 10), "set the fields of float16");
  check(H5Tset_size(half.get(), 2), "set the size of float16");
  check(H5Tset_ebias(half.get(), 15), "set the bias of float16");
  return half;
}

void write_column_raw(hid_t parent, const std::string& name, hid_t type, const void* values, std::size_t count) {
  const hsize_t size = count;
  const Id space = make_space({&size, 1});
  const Id dataset = own(H5Dcreate2(parent, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                         "create the column " + name);
  if (count > 0) {
    check(H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write the column " + name);
  }
}

void create_column(hid_t parent, const std::string& name, hid_t type, std::size_t count) {
  const hsize_t size = count;
  const Id space = make_space({&size, 1});
  static_cast<void>(own(H5Dcreate2(parent, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                        "create the column " + name));
}

void write_column_part_raw(hid_t parent, const std::string& name, hid_t type, const void* values, std::size_t first,
                           std::size_t count) {
  if (count == 0) {
    return;
  }
  const Id dataset = open_dataset(parent, name);
  const Id to = own(H5Dget_space(dataset.get()), "get a dataspace");
  const hsize_t start = first;
  const hsize_t length = count;
  check(H5Sselect_hyperslab(to.get(), H5S_SELECT_SET, &start, nullptr, &length, nullptr), "select a part of " + name);
  const Id from = make_space({&length, 1});
  check(H5Dwrite(dataset.get(), type, from.get(), to.get(), H5P_DEFAULT, values), "write a part of the column " + name);
}

void expect_in_file(hid_t object, std::uint64_t count, std::size_t size, const std::string& name) {
  const Id file = own(H5Iget_file_id(object), "get the file of " + name);
  hsize_t bytes = 0;
  check(H5Fget_filesize(file.get(), &bytes), "get the size of the file");
  if (size == 0 || count > bytes / size) {
    throw Error{name + " says that it is larger than the file that it is in"};
  }
}

std::size_t column_size(hid_t parent, const std::string& name) {
  const Id dataset = open_dataset(parent, name);
  const auto dims = dims_of(dataset.get());
  if (dims.size() != 1) {
    throw Error{"the column " + name + " has " + std::to_string(dims.size()) + " dimensions (expected 1)"};
  }
  const Id type = own(H5Dget_type(dataset.get()), "get the type of " + name);
  expect_in_file(dataset.get(), dims[0], H5Tget_size(type.get()), "the column " + name);
  return dims[0];
}

void read_column_raw(hid_t parent, const std::string& name, hid_t type, void* values, std::size_t first,
                     std::size_t count) {
  const std::size_t size = column_size(parent, name);
  if (first > size || count > size - first) {
    throw Error{"the column " + name + " has " + std::to_string(size) + " values (expected " +
                std::to_string(first + count) + ")"};
  }
  if (count == 0) {
    return;
  }
  const Id dataset = open_dataset(parent, name);
  const Id from = own(H5Dget_space(dataset.get()), "get a dataspace");
  const hsize_t start = first;
  const hsize_t length = count;
  check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, &start, nullptr, &length, nullptr), "select a part of " + name);
  const Id to = make_space({&length, 1});
  check(H5Dread(dataset.get(), type, to.get(), from.get(), H5P_DEFAULT, values), "read the column " + name);
}

}  // namespace pantile::hdf5
