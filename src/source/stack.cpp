#include "source/stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "source/names.hpp"

namespace pantile::detail {
namespace {

herr_t note_dataset(hid_t /*file*/, const char* name, const H5O_info_t* facts, void* names) {
  constexpr std::size_t enough = 10;
  auto& list = *static_cast<std::vector<std::string>*>(names);
  if (facts->type == H5O_TYPE_DATASET && list.size() < enough) {
    list.push_back("/" + std::string{name});
  }
  return 0;
}

std::string datasets_in(hid_t file) {
  std::vector<std::string> names;
  static_cast<void>(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, note_dataset, &names, H5O_INFO_BASIC));
  return names.empty() ? std::string{"it has none"} : fmt::format("it has {}", fmt::join(names, ", "));
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& dataset, const std::string& why) {
  throw UsageError{fmt::format(
      "input {}:{}: {} (expected images: [n, height, width] or [n, height, width, 1 to 4 channels] of uint8 or uint16)",
      file.string(), dataset, why)};
}

/// A file of somebody else must not make us read others: an external link ends at its own name.
herr_t follow_no_file(const char* /*from_file*/, const char* /*from_group*/, const char* /*file*/,
                      const char* /*object*/, unsigned* /*access*/, hid_t /*plan*/, void* seen) {
  *static_cast<bool*>(seen) = true;
  return -1;
}

bool is_there(hid_t file, const std::string& dataset) {
  // Each step of the path: HDF5 takes a missing folder on the way for an error.
  for (std::size_t end = dataset.find('/', 1);; end = dataset.find('/', end + 1)) {
    if (!hdf5::exists(file, dataset.substr(0, end))) {
      return false;
    }
    if (end == std::string::npos) {
      return true;
    }
  }
}

/// The dataset, which lies in this file and in no other.
hdf5::Id open_in_file(hid_t id, const std::filesystem::path& file, const std::string& dataset) {
  bool leads_out = false;
  const hdf5::Id access = hdf5::own(H5Pcreate(H5P_DATASET_ACCESS), "make a property list");
  hdf5::check(H5Pset_elink_cb(access.get(), follow_no_file, &leads_out), "forbid external links");
  hdf5::Id found{H5Dopen2(id, dataset.c_str(), access.get())};
  if (leads_out) {
    refuse(file, dataset, "it is a link into another file; name that file");
  }
  if (found) {
    return found;
  }
  const SystemError failed = hdf5::failed("open the dataset " + dataset);
  // Only now: no link on the way to it leads out of the file.
  if (!is_there(id, dataset)) {
    throw UsageError{
        fmt::format("input {}:{}: there is no such dataset in the file; {}.", file.string(), dataset, datasets_in(id))};
  }
  refuse(file, dataset, failed.what());
}

/// What is decoded together must be, to read one row: as for a TIFF, whose strips may be as large.
std::uint64_t packed_chunk_bytes(hid_t plan, const std::vector<hsize_t>& chunk, std::uint64_t value_bytes) {
  if (chunk.empty() || H5Pget_nfilters(plan) == 0) {
    return 0;
  }
  std::uint64_t bytes = value_bytes;
  for (const hsize_t side : chunk) {
    bytes *= side;  // HDF5 has chunks of less than 4 GiB.
  }
  return bytes;
}

std::vector<hsize_t> chunk_of(hid_t plan, std::size_t axes) {
  std::vector<hsize_t> chunk;
  if (H5Pget_layout(plan) == H5D_CHUNKED) {
    chunk.resize(axes);
    hdf5::check(H5Pget_chunk(plan, static_cast<int>(axes), chunk.data()), "look at the chunks");
  }
  return chunk;
}

StackFacts look_at(hid_t id, const std::filesystem::path& file, const std::string& dataset) {
  const hdf5::Id plan = hdf5::own(H5Dget_create_plist(id), "look at " + dataset);
  if (H5Pget_layout(plan.get()) == H5D_VIRTUAL) {
    refuse(file, dataset,
           "it is a virtual dataset, and HDF5 gives zeros where a source of it is missing; name its sources");
  }
  if (H5Pget_external_count(plan.get()) != 0) {
    refuse(file, dataset, "its pixels lie in other files, which could be any; h5repack copies them into one");
  }
  const std::vector<hsize_t> dims = hdf5::dims_of(id);
  std::string shape = fmt::format("its shape is [{}]", fmt::join(dims, ", "));
  if (dims.size() < 3 || dims.size() > 4) {
    refuse(file, dataset, shape);
  }
  const hsize_t channels = dims.size() == 4 ? dims[3] : 1;
  for (const hsize_t side : {dims[1], dims[2]}) {
    if (side == 0 || side > std::numeric_limits<int>::max()) {
      refuse(file, dataset, shape);
    }
  }
  if (channels < 1 || channels > 4) {
    refuse(file, dataset, shape);
  }
  const hdf5::Id type = hdf5::own(H5Dget_type(id), "look at " + dataset);
  const std::size_t size = H5Tget_size(type.get());
  if (H5Tget_class(type.get()) != H5T_INTEGER || H5Tget_sign(type.get()) != H5T_SGN_NONE || size < 1 || size > 2) {
    refuse(file, dataset, "its values are neither uint8 nor uint16");
  }
  const std::uint64_t row_bytes = dims[1] * dims[2] * channels * size;
  const std::uint64_t beside = packed_chunk_bytes(plan.get(), chunk_of(plan.get(), dims.size()), size);
  if (constexpr std::uint64_t always = std::uint64_t{64} << 20U; beside > std::max(always, 4 * row_bytes)) {
    refuse(
        file, dataset,
        fmt::format("a row of {} is packed in chunks of {}, each of which must be unpacked as one; h5repack -l makes "
                    "smaller ones",
                    format_byte_size(row_bytes), format_byte_size(beside)));
  }
  return {.rows = dims[0],
          .extent = {static_cast<int>(dims[1]), static_cast<int>(dims[2])},
          .channels = static_cast<int>(channels),
          .depth = size == 1 ? Depth::u8 : Depth::u16,
          .beside_bytes = 2 * beside};
}

/// Found by the index: H5Dget_chunk_info_by_coord walks all chunks of the file.
bool has_chunk(hid_t dataset, const std::vector<hsize_t>& corner) {
  hsize_t bytes = 0;
  if (H5Dget_chunk_storage_size(dataset, corner.data(), &bytes) >= 0) {
    return bytes != 0;
  }
  // An error for a chunk that is not there as well as for an index that is damaged.
  const SystemError failed = hdf5::failed("look for a chunk");
  if (std::string_view{failed.what()}.find("chunk storage is not allocated") != std::string_view::npos) {
    return false;
  }
  unsigned skipped = 0;
  haddr_t address = HADDR_UNDEF;
  hdf5::check(H5Dget_chunk_info_by_coord(dataset, corner.data(), &skipped, &address, &bytes), "look for a chunk");
  if (address != HADDR_UNDEF) {
    throw SystemError{failed};
  }
  return false;
}

void expect_threads() {
  hbool_t safe = false;
  if (H5is_library_threadsafe(&safe) < 0 || !safe) {
    throw Error{
        "this HDF5 library is not built for threads (stacks are read while shards are written). Use a build with "
        "--enable-threadsafe, as distributions have it."};
  }
}

}  // namespace

Stack::Stack(const std::filesystem::path& file, const std::string& dataset) {
  expect_threads();
  expect_file(file);
  try {
    file_ = hdf5::open_file(file);
    dataset_ = open_in_file(file_.get(), file, dataset);
    facts_ = look_at(dataset_.get(), file, dataset);
    const hdf5::Id plan = hdf5::own(H5Dget_create_plist(dataset_.get()), "look at " + dataset);
    chunk_ = chunk_of(plan.get(), hdf5::dims_of(dataset_.get()).size());
  } catch (const SystemError& error) {
    throw UsageError{fmt::format("input {}:{}: {} (its images cannot be told). Is the copy complete?", file.string(),
                                 dataset, error.what())};
  }
}

bool Stack::is_written(std::uint64_t at) const {
  if (chunk_.empty()) {
    // All at once; what is compact lies in the header and has no address.
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    hdf5::check(H5Dget_space_status(dataset_.get(), &status), "look for the pixels");
    return status != H5D_SPACE_STATUS_NOT_ALLOCATED;
  }
  const std::vector<hsize_t> dims = hdf5::dims_of(dataset_.get());
  std::vector<hsize_t> corner(dims.size(), 0);
  corner[0] = at / chunk_[0] * chunk_[0];
  // Every chunk under the row, like an odometer.
  for (;;) {
    if (!has_chunk(dataset_.get(), corner)) {
      return false;
    }
    std::size_t axis = dims.size() - 1;
    while (axis > 0 && (corner[axis] += chunk_[axis]) >= dims[axis]) {
      corner[axis--] = 0;
    }
    if (axis == 0) {
      return true;
    }
  }
}

Result<Image> Stack::row(std::uint64_t at) const {
  expect(at < facts_.rows, "the row is in the stack");
  if (!is_written(at)) {
    return Failure{Fault::truncated, "some of its pixels were never written into the file"};
  }
  Image image{facts_.extent, facts_.channels, facts_.depth};
  const hdf5::Id from = hdf5::own(H5Dget_space(dataset_.get()), "get a dataspace");
  const int axes = H5Sget_simple_extent_ndims(from.get());
  const std::array<hsize_t, 4> start{at, 0, 0, 0};
  const std::array<hsize_t, 4> count{1, static_cast<hsize_t>(facts_.extent.height),
                                     static_cast<hsize_t>(facts_.extent.width), static_cast<hsize_t>(facts_.channels)};
  hdf5::check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
              "select a row");
  const hdf5::Id to = hdf5::make_space({count.data(), static_cast<std::size_t>(axes)});
  const hid_t type = facts_.depth == Depth::u8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_UINT16;
  hdf5::check(H5Dread(dataset_.get(), type, to.get(), from.get(), H5P_DEFAULT, image.bytes().data()),
              fmt::format("read row {}", at));
  return image;
}

std::optional<std::pair<std::filesystem::path, std::string>> split_stack_path(const std::string& path) {
  const std::size_t colon = path.rfind(":/");
  if (colon == std::string::npos || colon + 2 == path.size()) {
    return std::nullopt;
  }
  const std::string ending = ending_of(path.substr(0, colon));
  if (ending != "h5" && ending != "hdf5" && ending != "hdf") {
    return std::nullopt;
  }
  return std::pair{std::filesystem::path{path.substr(0, colon)}, path.substr(colon + 1)};
}

}  // namespace pantile::detail
