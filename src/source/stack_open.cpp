// What a stack is, and whether it can be read at all: before any row is.
#include "source/stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
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

/// Without it, HDF5 reads of a chunk that is not packed what is wanted, wherever the chunk ends: what an index claims
/// that it has takes no memory.
enum class Cache { usual, none };

/// The dataset, which lies in this file and in no other.
hdf5::Id open_in_file(hid_t id, const std::filesystem::path& file, const std::string& dataset,
                      Cache cache = Cache::usual) {
  bool leads_out = false;
  const hdf5::Id access = hdf5::own(H5Pcreate(H5P_DATASET_ACCESS), "make a property list");
  hdf5::check(H5Pset_elink_cb(access.get(), follow_no_file, &leads_out), "forbid external links");
  if (cache == Cache::none) {
    hdf5::check(H5Pset_chunk_cache(access.get(), 0, 0, 0), "turn off the cache of chunks");
  }
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
  if (std::string_view{failed.what()}.find("bad version number") != std::string_view::npos) {
    throw UsageError{
        fmt::format("input {}:{}: {} (a newer HDF5 wrote it than this one reads). The h5repack of a newer one, without "
                    "options, makes a file that every HDF5 reads.",
                    file.string(), dataset, failed.what())};
  }
  refuse(file, dataset, failed.what());
}

std::vector<hsize_t> chunk_of(hid_t plan, std::size_t axes) {
  std::vector<hsize_t> chunk;
  if (H5Pget_layout(plan) == H5D_CHUNKED) {
    chunk.resize(axes);
    hdf5::check(H5Pget_chunk(plan, static_cast<int>(axes), chunk.data()), "look at the chunks");
  }
  return chunk;
}

/// How a dataset of values of `value_bytes` is packed, which is refused if it cannot be unpacked in little more than a
/// chunk.
Packing packing_of(hid_t plan, const std::vector<hsize_t>& chunk, std::uint64_t value_bytes,
                   const std::filesystem::path& file, const std::string& dataset) {
  std::uint64_t bytes = chunk.empty() ? 0 : value_bytes;
  for (const hsize_t side : chunk) {
    bytes *= side;  // HDF5 has chunks of less than 4 GiB.
  }
  Packing packing{plan, bytes};
  if (const std::string why = packing.why_not(); !why.empty()) {
    throw UsageError{fmt::format("input {}:{}: {}.", file.string(), dataset, why)};
  }
  return packing;
}

struct Look {
  StackFacts facts;
  Packing packing;
};

Look look_at(hid_t id, const std::filesystem::path& file, const std::string& dataset) {
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
  Packing packing = packing_of(plan.get(), chunk_of(plan.get(), dims.size()), size, file, dataset);
  // What is decoded together must be, to read one row: as for a TIFF, whose strips may be as large.
  const std::uint64_t chunk_bytes = packing.none() ? 0 : packing.chunk_bytes();
  if (constexpr std::uint64_t always = std::uint64_t{64} << 20U; chunk_bytes > std::max(always, 4 * row_bytes)) {
    refuse(
        file, dataset,
        fmt::format("a row of {} is packed in chunks of {}, each of which must be unpacked as one; h5repack -l makes "
                    "smaller ones",
                    format_byte_size(row_bytes), format_byte_size(chunk_bytes)));
  }
  return {.facts = {.rows = dims[0],
                    .extent = {static_cast<int>(dims[1]), static_cast<int>(dims[2])},
                    .channels = static_cast<int>(channels),
                    .depth = size == 1 ? Depth::u8 : Depth::u16,
                    .beside_bytes = packing.none() ? 0 : 2 * packing.most_stored_bytes()},
          .packing = std::move(packing)};
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
    Look look = look_at(dataset_.get(), file, dataset);
    facts_ = look.facts;
    packing_ = std::move(look.packing);
    const std::vector<hsize_t> sides = hdf5::dims_of(dataset_.get());
    std::copy(sides.begin(), sides.end(), sides_.begin());
    const hdf5::Id plan = hdf5::own(H5Dget_create_plist(dataset_.get()), "look at " + dataset);
    if (const std::vector<hsize_t> chunk = chunk_of(plan.get(), sides.size()); !chunk.empty()) {
      chunk_ = {1, 1, 1, 1};
      std::copy(chunk.begin(), chunk.end(), chunk_.begin());
      unsigned options = 0;
      hdf5::check(H5Pget_chunk_opts(plan.get(), &options), "look at the chunks");
      bare_edges_ = (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
    }
    if (packing_.none()) {
      dataset_ = hdf5::Id{};  // The cache is that of the first who opens it.
      dataset_ = open_in_file(file_.get(), file, dataset, Cache::none);
    }
  } catch (const SystemError& error) {
    // What the system refuses is no damage.
    throw UsageError{fmt::format("input {}:{}: {} (its images cannot be told).{}", file.string(), dataset, error.what(),
                                 error.number() == 0 ? " Is the copy complete?" : "")};
  }
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
