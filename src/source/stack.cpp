#include "source/stack.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <vector>

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

StackFacts look_at(hid_t id, const std::filesystem::path& file, const std::string& dataset) {
  const hdf5::Id plan = hdf5::own(H5Dget_create_plist(id), "look at " + dataset);
  if (H5Pget_layout(plan.get()) == H5D_VIRTUAL) {
    refuse(file, dataset,
           "it is a virtual dataset, and HDF5 gives zeros where a source of it is missing; name its sources");
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
  return {.rows = dims[0],
          .extent = {static_cast<int>(dims[1]), static_cast<int>(dims[2])},
          .channels = static_cast<int>(channels),
          .depth = size == 1 ? Depth::u8 : Depth::u16};
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

Stack::Stack(const std::filesystem::path& file, const std::string& dataset) : file_{hdf5::open_file(file)} {
  expect_threads();
  if (!is_there(file_.get(), dataset)) {
    throw UsageError{fmt::format("input {}:{}: there is no such dataset in the file; {}.", file.string(), dataset,
                                 datasets_in(file_.get()))};
  }
  dataset_ = hdf5::open_dataset(file_.get(), dataset);
  facts_ = look_at(dataset_.get(), file, dataset);
}

Image Stack::row(std::uint64_t at) const {
  expect(at < facts_.rows, "the row is in the stack");
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
