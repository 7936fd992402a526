#include "run/item_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "image/pixels.hpp"

namespace pantile {
namespace {

HeaderFacts facts_of_pixels(const Image& image) {
  return {image.extent(), 1, image.channels(), image.depth() == Depth::u8 ? 8 : 16};
}

Failure changed(const HeaderFacts& now, const HeaderFacts& before) {
  return {Fault::changed,
          fmt::format("the image is {} (orientation {}, {} channels of {} bits) and was {} ({}, {} of {}) when "
                      "the catalog was made",
                      to_string(now.extent), now.orientation, now.channels, now.bits, to_string(before.extent),
                      before.orientation, before.channels, before.bits)};
}

/// Of all bytes, a piece at a time: a file that is read by region may be larger than memory.
std::uint64_t sum_of(ByteReader& file) {
  Bytes piece(std::size_t{1} << 20U);
  Hasher hasher;
  for (std::uint64_t at = 0;;) {
    const std::size_t count = file.read_at(at, piece);
    hasher.update(std::span{piece}.first(count));
    at += count;
    if (count < piece.size()) {
      return hasher.digest().low;
    }
  }
}

}  // namespace

DecodeLimits decode_limits(const LimitsConfig& limits) {
  return {.max_file_bytes = limits.max_file_size,
          .max_pixels = static_cast<std::int64_t>(limits.max_pixels),
          .max_region_pixels = static_cast<std::int64_t>(limits.max_region_pixels),
          .max_decoded_bytes = 4 * limits.max_pixels,
          .max_ratio = static_cast<std::uint64_t>(limits.max_ratio)};
}

ItemDecoder::ItemDecoder(DecodeLimits limits, ImageConfig::Alpha alpha, ChargeBytes charge)
    : limits_{limits}, alpha_{alpha}, charge_{std::move(charge)} {}

void ItemDecoder::forget() {
  current_ = {};
  whole_.reset();
  by_region_.reset();
}

ItemDecoder::Decoded ItemDecoder::decode(const RunBlock& run, Rect needed) {
  const std::pair wanted{run.key.item, run.attempt};
  has_read_ = current_ != wanted || by_region_;
  if (current_ == wanted && whole_) {
    return *whole_;
  }
  if (current_ != wanted) {
    forget();  // Before the next image is read: both together may be too much.
  }
  Decoded decoded = [&]() -> Decoded {
    try {
      return current_ == wanted ? decode_part(run, needed) : decode_first(run, needed);
    } catch (const MissingModule&) {
      throw;  // This machine's fault, not the item's.
    } catch (const Error& error) {
      return Failure{Fault::unreadable, error.what()};
    } catch (const std::bad_alloc&) {
      return Failure{Fault::does_not_fit,
                     fmt::format("its {} pixels do not fit under the device's memory cap beside the model",
                                 to_string(run.header.extent))};
    }
  }();
  current_ = wanted;
  if (!by_region_ || !decoded) {
    whole_ = decoded;
  }
  return decoded;
}

ItemDecoder::Decoded ItemDecoder::decode_first(const RunBlock& run, Rect needed) {
  if (run.place.kind == RootKind::stack) {
    return decode_row(run);
  }
  if (const auto by_region = try_by_region(run)) {
    if (!*by_region) {
      return by_region->failure();
    }
    by_region_ = by_region->value();
    return decode_part(run, needed);
  }
  return decode_whole(run);
}

std::optional<Result<ItemDecoder::ByRegion>> ItemDecoder::try_by_region(const RunBlock& run) {
  // A member of a zip archive has no regions: it is unpacked from its front, and its checksum is at its end.
  const bool is_small = run.header.extent.area() <= by_region_px && run.place.bytes <= limits_.max_file_bytes;
  if (is_small || run.place.kind == RootKind::zip) {
    return std::nullopt;
  }
  const Result<std::unique_ptr<ByteReader>> file = items_.open(run.place);
  if (!file) {
    return Result<ByRegion>{file.failure()};
  }
  const Result<ImageHeader> header = probe(*file.value());
  if (!header || !reads_regions(header.value())) {
    return std::nullopt;  // The whole way says what is wrong with it.
  }
  if (std::optional<Failure> refused = refusal(header.value(), run.place.bytes, limits_)) {
    return Result<ByRegion>{*std::move(refused)};
  }
  if (const HeaderFacts facts = facts_of(header.value()); facts != run.header) {
    return Result<ByRegion>{changed(facts, run.header)};
  }
  return Result<ByRegion>{ByRegion{header.value(), sum_of(*file.value())}};
}

ItemDecoder::Decoded ItemDecoder::decode_part(const RunBlock& run, Rect needed) {
  const ImageHeader& header = by_region_->header;
  const Result<std::unique_ptr<ByteReader>> file = items_.open(run.place);
  if (!file) {
    return file.failure();
  }
  const std::uint64_t bytes = decoded_bytes(header) / static_cast<std::uint64_t>(header.stored.area()) *
                              static_cast<std::uint64_t>(needed.area());
  Charge charge = charge_(bytes);
  ImageHeader part_header = header;
  part_header.stored = stored_rect(header, needed).extent();
  const Charge while_decoding = charge_(decode_overhead_bytes(part_header));
  DecodeLimits of_region = limits_;
  of_region.max_decoded_bytes = std::numeric_limits<std::uint64_t>::max();  // A block bounds it, and it is charged.
  Result<Image> image = decode_region(*file.value(), header, stored_rect(header, needed), of_region);
  if (!image) {
    return image.failure();
  }
  return made(upright(std::move(image).value(), header), needed, header.oriented, by_region_->sum, std::move(charge));
}

ItemDecoder::Decoded ItemDecoder::decode_whole(const RunBlock& run) {
  Result<Bytes> read = items_.read(run.place, limits_.max_file_bytes);
  if (!read) {
    return read.failure();
  }
  const Bytes encoded = std::move(read).value();
  const Result<ImageHeader> header = probe(encoded, encoded.size());
  if (!header) {
    return header.failure();
  }
  // Before room is made for it: what the gate refuses must not depend on how much room there is.
  if (std::optional<Failure> refused = refusal_of_whole(header.value(), encoded.size(), limits_)) {
    return *std::move(refused);
  }
  if (const HeaderFacts facts = facts_of(header.value()); facts != run.header) {
    return changed(facts, run.header);
  }
  Charge charge = charge_(decoded_bytes(header.value()));
  const Charge while_decoding = charge_(decode_overhead_bytes(header.value()));
  Result<Image> image = pantile::decode(encoded, limits_);
  if (!image) {
    return image.failure();
  }
  const Extent extent = image.value().extent();
  return made(std::move(image).value(), whole(extent), extent, xxh3_64(encoded), std::move(charge));
}

/// A row of a stack is pixels already.
ItemDecoder::Decoded ItemDecoder::decode_row(const RunBlock& run) {
  Charge charge = charge_(run.place.bytes);
  Result<Image> image = items_.row(run.place);
  if (!image) {
    return image.failure();
  }
  if (const HeaderFacts facts = facts_of_pixels(image.value()); facts != run.header) {
    return changed(facts, run.header);
  }
  const std::uint64_t sum = xxh3_64(image.value().bytes());
  const Extent extent = image.value().extent();
  return made(std::move(image).value(), whole(extent), extent, sum, std::move(charge));
}

ItemDecoder::Decoded ItemDecoder::made(Image image, Rect rect, Extent whole, std::uint64_t sum, Charge charge) const {
  if (alpha_ == ImageConfig::Alpha::white) {
    lay_over_white(image);
  }
  return std::make_shared<const DecodedItem>(DecodedItem{std::move(image), rect, whole, sum, std::move(charge)});
}

}  // namespace pantile
