#include "source/packing.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace pantile::detail {
namespace {

/// Of the registry of the HDF Group, those that people meet. The name in the file is anybody's.
std::string name_of(H5Z_filter_t filter) {
  constexpr std::array<std::pair<H5Z_filter_t, const char*>, 15> names{{{H5Z_FILTER_DEFLATE, "deflate"},
                                                                        {H5Z_FILTER_SHUFFLE, "shuffle"},
                                                                        {H5Z_FILTER_FLETCHER32, "Fletcher-32"},
                                                                        {H5Z_FILTER_SZIP, "szip"},
                                                                        {H5Z_FILTER_NBIT, "nbit"},
                                                                        {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
                                                                        {307, "bzip2"},
                                                                        {32000, "lzf"},
                                                                        {32001, "blosc"},
                                                                        {32004, "lz4"},
                                                                        {32008, "bitshuffle"},
                                                                        {32013, "zfp"},
                                                                        {32015, "zstd"},
                                                                        {32024, "jpeg"},
                                                                        {32026, "blosc2"}}};
  const auto* const found =
      std::find_if(names.begin(), names.end(), [filter](const auto& known) { return known.first == filter; });
  return found == names.end() ? fmt::format("filter {}", filter) : found->second;
}

bool is_ours(H5Z_filter_t filter) {
  return filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
}

Failure damaged(std::string_view why) {
  return {Fault::corrupt, fmt::format("a packed chunk of it is damaged: {}", why)};
}

/// Into `most` bytes; what would be more is no chunk.
Result<Bytes> inflated(const Bytes& packed, std::uint64_t most) {
  Bytes into(static_cast<std::size_t>(most));
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) {
    throw std::bad_alloc{};
  }
  // Both have less than 4 GiB. zlib does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));  // NOLINT(*-const-cast)
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(into.data());
  stream.avail_out = static_cast<uInt>(into.size());
  const int end = ::inflate(&stream, Z_FINISH);
  const bool full = stream.avail_out == 0;
  into.resize(into.size() - stream.avail_out);
  ::inflateEnd(&stream);
  if (end != Z_STREAM_END) {
    return damaged(full ? fmt::format("it unpacks to more than {} bytes", most) : "its deflate stream has no good end");
  }
  return into;
}

/// The first bytes of all values lay together, then the second bytes, and so on.
Bytes unshuffled(const Bytes& shuffled, std::size_t value_bytes) {
  const std::size_t values = value_bytes == 0 ? 0 : shuffled.size() / value_bytes;
  if (value_bytes <= 1 || values <= 1) {
    return shuffled;
  }
  Bytes bytes = shuffled;  // What is no whole value stays at the end.
  for (std::size_t byte = 0; byte < value_bytes; ++byte) {
    for (std::size_t value = 0; value < values; ++value) {
      bytes[value * value_bytes + byte] = shuffled[byte * values + value];
    }
  }
  return bytes;
}

/// As HDF5 sums: over values of 16 bits, the first byte of which counts more.
std::uint32_t fletcher32(std::span<const std::byte> data) {
  constexpr std::size_t before_overflow = 360;
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  const auto fold = [](std::uint32_t sum) { return (sum & 0xFFFFU) + (sum >> 16U); };
  std::size_t at = 0;
  for (std::size_t pairs = data.size() / 2; pairs > 0;) {
    const std::size_t now = std::min(pairs, before_overflow);
    pairs -= now;
    for (std::size_t i = 0; i < now; ++i, at += 2) {
      first += std::to_integer<std::uint32_t>(data[at]) << 8U | std::to_integer<std::uint32_t>(data[at + 1]);
      second += first;
    }
    first = fold(first);
    second = fold(second);
  }
  if (data.size() % 2 != 0) {
    first = fold(first + (std::to_integer<std::uint32_t>(data.back()) << 8U));
    second = fold(second + first);
  }
  return fold(second) << 16U | fold(first);
}

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;) {
    number = number << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return number;
}

/// Without its checksum; nothing if that is wrong.
std::optional<Bytes> checked(Bytes bytes) {
  if (bytes.size() < 4) {
    return std::nullopt;
  }
  const std::uint32_t stored = number_at(bytes, bytes.size() - 4);
  bytes.resize(bytes.size() - 4);
  const std::uint32_t sum = fletcher32(bytes);
  // Before 1.6.3 HDF5 swapped the bytes of each half on some machines, and it still takes that.
  const std::uint32_t swapped = (sum & 0x00FF00FFU) << 8U | (sum & 0xFF00FF00U) >> 8U;
  return stored == sum || stored == swapped ? std::optional{std::move(bytes)} : std::nullopt;
}

/// What nbit and scaleoffset make is as large as their parameters say, and those are the file's.
std::uint64_t claimed_bytes(const PackingStep& step) {
  constexpr std::size_t values_at = 2;
  constexpr std::size_t value_bytes_at = 4;
  return step.values.size() <= value_bytes_at
             ? UINT64_MAX
             : std::uint64_t{step.values[values_at]} * std::uint64_t{step.values[value_bytes_at]};
}

}  // namespace

Packing::Packing(hid_t plan, std::uint64_t chunk_bytes) : chunk_bytes_{chunk_bytes} {
  const int count = hdf5::check(H5Pget_nfilters(plan), "look at how chunks are packed");
  for (int at = 0; at < count; ++at) {
    std::array<unsigned, 32> values{};
    std::size_t size = values.size();
    unsigned flags = 0;
    unsigned config = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(plan, static_cast<unsigned>(at), &flags, &size, values.data(), 0, nullptr, &config);
    hdf5::check(filter, "look at how chunks are packed");
    steps_.push_back({.filter = filter, .values = {values.begin(), values.begin() + std::min(size, values.size())}});
  }
  ours_ = !steps_.empty() && std::all_of(steps_.begin(), steps_.end(),
                                         [](const PackingStep& step) { return detail::is_ours(step.filter); });
}

std::string Packing::why_not() const {
  constexpr const char* repack =
      "h5py, or h5repack -f SHUF -f GZIP=4, where they can read it, make a file that every HDF5 reads";
  for (const PackingStep& step : steps_) {
    if (!detail::is_ours(step.filter) && H5Zfilter_avail(step.filter) <= 0) {
      return fmt::format("it is packed with {}, which the HDF5 of this machine does not have. {}", name_of(step.filter),
                         repack);
    }
  }
  for (std::size_t at = 0; !ours_ && at < steps_.size(); ++at) {
    const PackingStep& step = steps_[at];
    const bool sized = step.filter == H5Z_FILTER_NBIT || step.filter == H5Z_FILTER_SCALEOFFSET;
    if (sized && claimed_bytes(step) != chunk_bytes_) {
      return fmt::format("it is packed with {}, for chunks of another size", name_of(step.filter));
    }
    // Where it comes first in a chunk, the size that it unpacks to can be seen.
    const bool seen = std::all_of(steps_.begin() + static_cast<std::ptrdiff_t>(at) + 1, steps_.end(),
                                  [](const PackingStep& later) { return later.filter == H5Z_FILTER_FLETCHER32; });
    if (step.filter == H5Z_FILTER_DEFLATE || (step.filter == H5Z_FILTER_SZIP && !seen)) {
      return fmt::format("it is packed with {} and something else, and could unpack to any size. {}",
                         name_of(step.filter), repack);
    }
  }
  return {};
}

std::uint64_t Packing::most_stored_bytes() const noexcept {
  constexpr std::uint64_t always = 4096;
  return std::min<std::uint64_t>(chunk_bytes_ + chunk_bytes_ / 64 + always, UINT32_MAX);  // no chunk has more
}

bool Packing::fits_in(std::span<const std::byte> stored, std::uint32_t skipped) const {
  for (std::size_t at = 0; at < steps_.size(); ++at) {
    if (steps_[at].filter == H5Z_FILTER_SZIP && (skipped >> at & 1U) == 0 &&
        (stored.size() < 4 || number_at(stored, 0) > most_stored_bytes())) {
      return false;
    }
  }
  return true;
}

Result<Bytes> Packing::unpack(Bytes stored, std::uint32_t skipped) const {
  expect(ours_, "what others pack is unpacked by HDF5");
  for (std::size_t at = steps_.size(); at-- > 0;) {
    const PackingStep& step = steps_[at];
    if ((skipped >> at & 1U) != 0) {
      continue;
    }
    if (step.filter == H5Z_FILTER_FLETCHER32) {
      std::optional<Bytes> good = checked(std::move(stored));
      if (!good) {
        return damaged("its checksum is wrong");
      }
      stored = std::move(*good);
    } else if (step.filter == H5Z_FILTER_SHUFFLE) {
      stored = unshuffled(stored, step.values.empty() ? 0 : step.values[0]);
    } else {
      Result<Bytes> more = inflated(stored, most_stored_bytes());
      if (!more) {
        return more;
      }
      stored = std::move(more).value();
    }
  }
  if (stored.size() != chunk_bytes_) {
    return damaged(fmt::format("it unpacks to {} bytes, and has {}", stored.size(), chunk_bytes_));
  }
  return stored;
}

}  // namespace pantile::detail
