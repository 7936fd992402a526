#include "source/stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile::detail {
namespace {

hid_t native_type(Depth depth) { return depth == Depth::u8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_UINT16; }

Failure never_written() { return {Fault::truncated, "some of its pixels were never written into the file"}; }

}  // namespace

/// Nothing if the chunk was never written. Found by the index: H5Dget_chunk_info_by_coord walks all chunks of the file.
std::optional<std::uint64_t> Stack::stored_bytes(const Place& corner) const {
  hsize_t bytes = 0;
  if (H5Dget_chunk_storage_size(dataset_.get(), corner.data(), &bytes) >= 0) {
    return bytes == 0 ? std::nullopt : std::optional{bytes};
  }
  // An error for a chunk that is not there as well as for an index that is damaged.
  const SystemError failed = hdf5::failed("look for a chunk");
  if (std::string_view{failed.what()}.find("chunk storage is not allocated") != std::string_view::npos) {
    return std::nullopt;
  }
  unsigned skipped = 0;
  haddr_t address = HADDR_UNDEF;
  hdf5::check(H5Dget_chunk_info_by_coord(dataset_.get(), corner.data(), &skipped, &address, &bytes),
              "look for a chunk");
  if (address != HADDR_UNDEF) {
    throw SystemError{failed};
  }
  return std::nullopt;
}

/// Calls `visit` with each chunk that has pixels of the row, until one of them fails.
Failure Stack::for_each_chunk(std::uint64_t at, const std::function<Failure(const Place&)>& visit) const {
  Place corner{at / chunk_[0] * chunk_[0], 0, 0, 0};
  for (;;) {
    if (Failure failure = visit(corner); failure.fault != Fault::none) {
      return failure;
    }
    std::size_t axis = corner.size() - 1;  // like an odometer
    while (axis > 0 && (corner[axis] += chunk_[axis]) >= sides_[axis]) {
      corner[axis--] = 0;
    }
    if (axis == 0) {
      return {};
    }
  }
}

/// What must hold before HDF5 reads it: it would make up what is missing, and take memory for what is claimed.
Failure Stack::look_at_chunk(const Place& corner) const {
  const std::optional<std::uint64_t> bytes = stored_bytes(corner);
  if (!bytes) {
    return never_written();
  }
  if (packing_.none()) {
    return {};
  }
  if (*bytes > packing_.most_stored_bytes()) {
    return {Fault::corrupt, fmt::format("a chunk of it has {}, packed", format_byte_size(*bytes))};
  }
  Bytes stored(static_cast<std::size_t>(*bytes));
  std::uint32_t skipped = 0;
  hdf5::check(H5Dread_chunk(dataset_.get(), H5P_DEFAULT, corner.data(), &skipped, stored.data()), "read a chunk");
  if (!packing_.fits_in(stored, skipped)) {
    return {Fault::corrupt, "a packed chunk of it claims to be larger than chunks are"};
  }
  return {};
}

/// The chunk, unpacked; it is kept until others are asked for.
Result<const Bytes*> Stack::unpacked(const Place& corner) {
  const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const Chunk& one) { return one.corner == corner; });
  if (kept != kept_.end()) {
    return &kept->bytes;
  }
  const std::optional<std::uint64_t> bytes = stored_bytes(corner);
  if (!bytes) {
    return never_written();
  }
  if (*bytes > packing_.most_stored_bytes()) {
    return Failure{Fault::corrupt, fmt::format("a chunk of it has {}, packed", format_byte_size(*bytes))};
  }
  Bytes stored(static_cast<std::size_t>(*bytes));
  std::uint32_t skipped = 0;
  hdf5::check(H5Dread_chunk(dataset_.get(), H5P_DEFAULT, corner.data(), &skipped, stored.data()), "read a chunk");
  bool over_edge = false;
  for (std::size_t axis = 0; axis < corner.size(); ++axis) {
    over_edge = over_edge || corner[axis] + chunk_[axis] > sides_[axis];
  }
  constexpr std::uint32_t all_steps = UINT32_MAX;
  Result<Bytes> pixels = packing_.unpack(std::move(stored), bare_edges_ && over_edge ? all_steps : skipped);
  if (!pixels) {
    return pixels.failure();
  }
  kept_.push_back({corner, std::move(pixels).value()});
  return &kept_.back().bytes;
}

/// As much as HDF5 keeps of a dataset unless told otherwise.
void Stack::forget() {
  constexpr std::size_t most_kept = 1 << 20;
  while (!kept_.empty() && kept_.size() * kept_.front().bytes.size() > most_kept) {
    kept_.pop_front();
  }
}

/// Copies what a chunk has of the row.
void Stack::copy(const Bytes& chunk, const Place& corner, std::uint64_t at, Image& into) const {
  const auto value_bytes = static_cast<std::size_t>(facts_.depth);
  const auto value_at = [value_bytes](const Place& sides, const Place& place) {
    const hsize_t value = ((place[0] * sides[1] + place[1]) * sides[2] + place[2]) * sides[3] + place[3];
    return static_cast<std::size_t>(value) * value_bytes;
  };
  const auto end = [&](std::size_t axis) { return std::min(corner[axis] + chunk_[axis], sides_[axis]); };
  // Where it has all channels of its pixels, what lies beside each other is copied at once.
  const bool whole_pixels = chunk_[3] == sides_[3];
  const hsize_t step = whole_pixels ? end(2) - corner[2] : 1;
  const std::size_t bytes = static_cast<std::size_t>(step * (end(3) - corner[3])) * value_bytes;
  for (hsize_t y = corner[1]; y < end(1); ++y) {
    for (hsize_t x = corner[2]; x < end(2); x += step) {
      const std::size_t from = value_at(chunk_, {at - corner[0], y - corner[1], x - corner[2], 0});
      std::memcpy(into.bytes().data() + value_at(sides_, {0, y, x, corner[3]}), chunk.data() + from, bytes);
    }
  }
}

/// The pixels of a row out of chunks that we unpack ourselves.
Failure Stack::unpack_row(std::uint64_t at, Image& into) {
  Failure failure = for_each_chunk(at, [&](const Place& corner) -> Failure {
    const Result<const Bytes*> chunk = unpacked(corner);
    if (!chunk) {
      return chunk.failure();
    }
    copy(*chunk.value(), corner, at, into);
    forget();
    return {};
  });
  const hid_t wanted = native_type(facts_.depth);
  const hdf5::Id type = hdf5::own(H5Dget_type(dataset_.get()), "look at the values");
  if (failure.fault == Fault::none && H5Tequal(type.get(), wanted) <= 0) {
    const std::size_t values = into.bytes().size() / static_cast<std::size_t>(facts_.depth);
    hdf5::check(H5Tconvert(type.get(), wanted, values, into.bytes().data(), nullptr, H5P_DEFAULT), "convert values");
  }
  return failure;
}

/// The same, by HDF5.
void Stack::read_row(std::uint64_t at, Image& into) const {
  const hdf5::Id from = hdf5::own(H5Dget_space(dataset_.get()), "get a dataspace");
  const int axes = H5Sget_simple_extent_ndims(from.get());
  const Place start{at, 0, 0, 0};
  const Place count{1, sides_[1], sides_[2], sides_[3]};
  hdf5::check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
              "select a row");
  const hdf5::Id to = hdf5::make_space({count.data(), static_cast<std::size_t>(axes)});
  hdf5::check(
      H5Dread(dataset_.get(), native_type(facts_.depth), to.get(), from.get(), H5P_DEFAULT, into.bytes().data()),
      fmt::format("read row {}", at));
}

Result<Image> Stack::row(std::uint64_t at) {
  expect(at < facts_.rows, "the row is in the stack");
  const bool in_chunks = chunk_[0] != 0;
  Failure failure;
  if (!in_chunks) {
    // All at once; what is compact lies in the header and has no address.
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    hdf5::check(H5Dget_space_status(dataset_.get(), &status), "look for the pixels");
    failure = status == H5D_SPACE_STATUS_NOT_ALLOCATED ? never_written() : Failure{};
  } else if (!packing_.is_ours()) {
    failure = for_each_chunk(at, [this](const Place& corner) { return look_at_chunk(corner); });
  }
  if (failure.fault != Fault::none) {
    return failure;
  }
  Image image{facts_.extent, facts_.channels, facts_.depth};
  if (packing_.is_ours()) {
    failure = unpack_row(at, image);
    if (failure.fault != Fault::none) {
      return failure;
    }
  } else {
    read_row(at, image);
  }
  return image;
}

}  // namespace pantile::detail
