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

Bytes last_rows(const DecodedItem& band, int count) {
  const ImageView pixels = band.image.view();
  Bytes rows(static_cast<std::size_t>(count) * pixels.row_bytes());
  std::copy_n(pixels.row(pixels.extent.height - count), rows.size(), rows.begin());
  return rows;
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
  kept_.reset();
  in_parts_.reset();
  rows_.reset();
}

ItemDecoder::Decoded ItemDecoder::decode(const RunBlock& run, Rect needed) {
  const std::pair wanted{run.key.item, run.attempt};
  const bool has_it = current_ == wanted && kept_ && (!*kept_ || kept_->value()->rect.contains(needed));
  has_read_ = !has_it;
  if (has_it) {
    return *kept_;
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
  if (!in_parts_ || rows_ || !decoded) {
    kept_ = decoded;
  }
  return decoded;
}

ItemDecoder::Decoded ItemDecoder::decode_first(const RunBlock& run, Rect needed) {
  if (run.place.kind == RootKind::stack) {
    return decode_row(run);
  }
  if (const auto in_parts = try_in_parts(run)) {
    if (!*in_parts) {
      return in_parts->failure();
    }
    in_parts_ = in_parts->value();
    return decode_part(run, needed);
  }
  return decode_whole(run);
}

std::optional<Result<ItemDecoder::InParts>> ItemDecoder::try_in_parts(const RunBlock& run) {
  // A member of a zip archive has no parts: it is unpacked from its front, and its checksum is at its end.
  const bool is_small = run.header.extent.area() <= in_parts_px && run.place.bytes <= limits_.max_file_bytes;
  if (is_small || run.place.kind == RootKind::zip) {
    return std::nullopt;
  }
  const Result<std::unique_ptr<ByteReader>> file = items_.open(run.place);
  if (!file) {
    return Result<InParts>{file.failure()};
  }
  const Result<ImageHeader> header = probe(*file.value());
  if (!header || !(reads_regions(header.value()) || reads_rows(header.value()))) {
    return std::nullopt;  // The whole way says what is wrong with it.
  }
  if (std::optional<Failure> refused = refusal(header.value(), run.place.bytes, limits_)) {
    return Result<InParts>{*std::move(refused)};
  }
  if (const HeaderFacts facts = facts_of(header.value()); facts != run.header) {
    return Result<InParts>{changed(facts, run.header)};
  }
  return Result<InParts>{InParts{header.value(), sum_of(*file.value())}};
}

ItemDecoder::Decoded ItemDecoder::decode_part(const RunBlock& run, Rect needed) {
  return reads_rows(in_parts_->header) ? decode_band(run, needed) : decode_region(run, needed);
}

ItemDecoder::Decoded ItemDecoder::decode_region(const RunBlock& run, Rect needed) {
  const ImageHeader& header = in_parts_->header;
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
  Result<Image> image = pantile::decode_region(*file.value(), header, stored_rect(header, needed), of_region);
  if (!image) {
    return image.failure();
  }
  return made(upright(std::move(image).value(), header), needed, header.oriented, in_parts_->sum, std::move(charge));
}

/// The rows of the block in full width: they serve all blocks beside it, too. Rows that the band before has are taken
/// from there, for each row is decoded once.
ItemDecoder::Decoded ItemDecoder::decode_band(const RunBlock& run, Rect needed) {
  const ImageHeader& header = in_parts_->header;
  const std::uint64_t row_bytes = decoded_bytes(header) / static_cast<std::uint64_t>(header.stored.height);
  const auto bytes_of = [&](int rows) { return static_cast<std::size_t>(rows) * row_bytes; };
  const Rect band{needed.y, 0, needed.height, header.oriented.width};
  // Copied before the band that has them is let go: both bands together may be too much.
  Bytes shared;
  Charge while_shared;
  if (rows_ && kept_ && *kept_ && kept_->value()->rect.y <= band.y && band.y < rows_->next) {
    while_shared = charge_(bytes_of(rows_->next - band.y));
    shared = last_rows(*kept_->value(), rows_->next - band.y);
  }
  kept_.reset();
  Charge charge = charge_(bytes_of(band.height));
  Image image{band.extent(), header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
  std::copy(shared.begin(), shared.end(), image.bytes().begin());
  const int first = band.y + static_cast<int>(shared.size() / row_bytes);
  if (std::optional<Failure> failure = go_to_row(run, first)) {
    return *std::move(failure);
  }
  if (std::optional<Failure> failure = rows_->rows->read(image.bytes().subspan(shared.size()))) {
    return *std::move(failure);
  }
  rows_->next = band.bottom();
  return made(std::move(image), band, header.oriented, in_parts_->sum, std::move(charge), first - band.y);
}

/// Rows above are decoded and dropped; to go back up is to begin again.
std::optional<Failure> ItemDecoder::go_to_row(const RunBlock& run, int row) {
  const ImageHeader& header = in_parts_->header;
  if (!rows_ || rows_->next > row) {
    rows_.reset();
    Charge overhead = charge_(decode_overhead_bytes(header));
    Result<std::unique_ptr<ByteReader>> file = items_.open(run.place);
    if (!file) {
      return file.failure();
    }
    std::unique_ptr<ByteReader> bytes = std::move(file).value();
    std::unique_ptr<RowReader> rows = read_rows(*bytes, header, limits_);
    rows_.emplace(Rows{std::move(overhead), std::move(bytes), std::move(rows), 0});
  }
  Bytes dropped(rows_->next < row ? decoded_bytes(header) / static_cast<std::uint64_t>(header.stored.height) : 0);
  for (; rows_->next < row; ++rows_->next) {
    if (std::optional<Failure> failure = rows_->rows->read(dropped)) {
      return failure;
    }
  }
  return std::nullopt;
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

ItemDecoder::Decoded ItemDecoder::made(Image image, Rect rect, Extent whole, std::uint64_t sum, Charge charge,
                                       int from) const {
  if (alpha_ == ImageConfig::Alpha::white) {
    lay_over_white(image, from);
  }
  return std::make_shared<const DecodedItem>(DecodedItem{std::move(image), rect, whole, sum, std::move(charge)});
}

}  // namespace pantile
