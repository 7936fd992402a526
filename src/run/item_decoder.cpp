#include "run/item_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "image/pixels.hpp"
#include "plan/memory_layout.hpp"

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

/// Of all bytes, a piece at a time: a file that is read by region may be larger than memory. The same as xxh3_64() of
/// them at once, which is the low half of xxh3_128() for all but the shortest.
std::uint64_t sum_of(ByteReader& file) {
  Bytes piece(std::size_t{256} << 10U);
  Hasher hasher;
  for (std::uint64_t at = 0;;) {
    const std::size_t count = file.read_at(at, piece);
    if (at == 0 && count < piece.size()) {
      return xxh3_64(std::span{piece}.first(count));
    }
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

/// As the decoder gives it.
std::uint64_t pixel_bytes(int channels, int bits) {
  return static_cast<std::uint64_t>(channels) * (bits == 16 ? sizeof(std::uint16_t) : sizeof(std::uint8_t));
}

/// "it is decoded whole, as …".
std::string why_whole(const ImageHeader& header, const ItemPlace& place) {
  if (place.kind == RootKind::zip) {
    return "a member of a zip archive";
  }
  if (header.interlaced) {
    return "interlaced";
  }
  if (header.progressive) {
    return "progressive";
  }
  return header.orientation == 1 ? "its format has no parts" : "turned by its orientation";
}

}  // namespace

DecodeLimits decode_limits(const LimitsConfig& limits) {
  return {.max_file_bytes = limits.max_file_size,
          .max_region_file_bytes = limits.max_region_file_size,
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

void ItemDecoder::begin(const RunBlock& run) {
  const std::pair wanted{run.key.item, run.attempt};
  if (current_ == wanted) {
    return;
  }
  forget();  // Before the next image is read: both together may be too much.
  current_ = wanted;
  if (run.place.kind != RootKind::stack) {
    look_at_parts(run);
  }
}

void ItemDecoder::look_at_parts(const RunBlock& run) {
  Decoded nothing = attempt(run, [&]() -> Decoded {
    if (auto in_parts = try_in_parts(run)) {
      if (!*in_parts) {
        return in_parts->failure();
      }
      in_parts_ = std::move(in_parts->value());
    }
    return std::shared_ptr<const DecodedItem>{};
  });
  if (!nothing) {
    kept_ = std::move(nothing);
  }
}

int ItemDecoder::rows_at_once(int width) const {
  if (!in_parts_) {
    return std::numeric_limits<int>::max();
  }
  // A part is decoded while the one before it is computed.
  const std::uint64_t row =
      pixel_bytes(in_parts_->header.channels, in_parts_->header.bits) * static_cast<std::uint64_t>(width);
  return static_cast<int>(
      std::clamp<std::uint64_t>(decoded_part_bytes(room_) / row, 1, std::numeric_limits<int>::max()));
}

ItemDecoder::Decoded ItemDecoder::decode(const RunBlock& run, Rect needed, Rect wide) {
  begin(run);
  const bool has_it = kept_ && (!*kept_ || kept_->value()->rect.contains(needed));
  has_read_ = !has_it;
  if (has_it) {
    return *kept_;
  }
  const auto in_part = [&] {
    return reads_rows(in_parts_->header) ? decode_band(run, wide) : decode_region(run, needed);
  };
  Decoded decoded = attempt(run, [&] {
    if (!in_parts_) {
      return run.place.kind == RootKind::stack ? decode_row(run) : decode_whole(run);
    }
    return in_part();
  });
  if (!decoded && decoded.failure().fault == Fault::does_not_fit && !in_parts_ && run.place.kind != RootKind::stack) {
    // The room was larger when it began.
    room_ = 0;
    look_at_parts(run);
    if (in_parts_) {
      kept_.reset();
      decoded = attempt(run, in_part);
    }
  }
  if (!in_parts_ || rows_ || !decoded) {
    kept_ = decoded;
  }
  return decoded;
}

template <class Make>
ItemDecoder::Decoded ItemDecoder::attempt(const RunBlock& run, Make make) {
  taking_ = 0;
  why_whole_.clear();
  try {
    return make();
  } catch (const MissingModule&) {
    throw;  // This machine's fault, not the item's.
  } catch (const Error& error) {
    return Failure{Fault::unreadable, error.what()};
  } catch (const std::bad_alloc&) {
    return Failure{Fault::does_not_fit,
                   fmt::format("its {} pixels do not fit under the device's memory cap beside the model: to be decoded "
                               "they need {} at once{}",
                               to_string(run.header.extent), format_byte_size(taking_),
                               why_whole_.empty() ? "" : fmt::format(" (not in parts: {})", why_whole_))};
  }
}

/// Charged before it is taken, and remembered for what is said if there is no room.
Charge ItemDecoder::take(std::uint64_t bytes) {
  taking_ += bytes;
  return charge_(bytes);
}

std::optional<Result<ItemDecoder::InParts>> ItemDecoder::try_in_parts(const RunBlock& run) {
  // A member of a zip archive has no parts: it is unpacked from its front, and its checksum is at its end.
  const std::uint64_t whole_bytes = run.place.bytes + static_cast<std::uint64_t>(run.header.extent.area()) *
                                                          pixel_bytes(run.header.channels, run.header.bits);
  const bool is_small =
      run.header.extent.area() <= in_parts_px && run.place.bytes <= limits_.max_file_bytes && whole_bytes <= room_;
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

ItemDecoder::Decoded ItemDecoder::decode_region(const RunBlock& run, Rect needed) {
  const ImageHeader& header = in_parts_->header;
  const Result<std::unique_ptr<ByteReader>> file = items_.open(run.place);
  if (!file) {
    return file.failure();
  }
  const std::uint64_t bytes = decoded_bytes(header) / static_cast<std::uint64_t>(header.stored.area()) *
                              static_cast<std::uint64_t>(needed.area());
  Charge charge = take(bytes);
  ImageHeader part_header = header;
  part_header.stored = stored_rect(header, needed).extent();
  const Charge while_decoding = take(decode_overhead_bytes(part_header));
  DecodeLimits of_region = limits_;
  of_region.max_decoded_bytes = std::numeric_limits<std::uint64_t>::max();  // A block bounds it, and it is charged.
  Result<Image> image = pantile::decode_region(*file.value(), header, stored_rect(header, needed), of_region);
  if (!image) {
    return image.failure();
  }
  return made(upright(std::move(image).value(), header), needed, header.oriented, in_parts_->sum, std::move(charge));
}

/// The rows of a block and of its neighbours. Rows that the band before has are taken from there, for each row is
/// decoded once as long as bands go down.
ItemDecoder::Decoded ItemDecoder::decode_band(const RunBlock& run, Rect band) {
  const ImageHeader& header = in_parts_->header;
  const std::uint64_t row_bytes = pixel_bytes(header.channels, header.bits) * static_cast<std::uint64_t>(band.width);
  const auto bytes_of = [&](int rows) { return static_cast<std::size_t>(rows) * row_bytes; };
  // Copied before the band that has them is let go: both bands together may be too much.
  Charge while_shared;
  Bytes shared;
  if (rows_ && kept_ && *kept_) {
    const Rect& before = kept_->value()->rect;
    if (before.x == band.x && before.width == band.width && before.y <= band.y && band.y < rows_->next) {
      while_shared = take(bytes_of(rows_->next - band.y));
      shared = last_rows(*kept_->value(), rows_->next - band.y);
    }
  }
  kept_.reset();
  Charge charge = take(bytes_of(band.height));
  Image image{band.extent(), header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
  std::copy(shared.begin(), shared.end(), image.bytes().begin());
  const int made_before = static_cast<int>(shared.size() / row_bytes);
  if (std::optional<Failure> failure = go_to_row(run, band.y + made_before)) {
    return *std::move(failure);
  }
  if (std::optional<Failure> failure = read_columns(band, image, made_before)) {
    return *std::move(failure);
  }
  rows_->next = band.bottom();
  return made(std::move(image), band, header.oriented, in_parts_->sum, std::move(charge), made_before);
}

/// The rows of `part` from `from_row` on, as they come next.
std::optional<Failure> ItemDecoder::read_columns(Rect part, Image& image, int from_row) {
  const ImageHeader& header = in_parts_->header;
  const std::size_t row_bytes = image.view().row_bytes();
  if (part.width == header.oriented.width) {
    return rows_->rows->read(image.bytes().subspan(static_cast<std::size_t>(from_row) * row_bytes));
  }
  const std::size_t pixel = image.view().pixel_bytes();
  Bytes row(static_cast<std::size_t>(header.oriented.width) * pixel);
  for (int y = from_row; y < part.height; ++y) {
    if (std::optional<Failure> failure = rows_->rows->read(row)) {
      return failure;
    }
    std::copy_n(row.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(part.x) * pixel), row_bytes,
                image.row(y));
  }
  return std::nullopt;
}

/// Rows above are decoded and dropped; to go back up is to begin again.
std::optional<Failure> ItemDecoder::go_to_row(const RunBlock& run, int row) {
  const ImageHeader& header = in_parts_->header;
  if (!rows_ || rows_->next > row) {
    rows_.reset();
    Charge overhead = take(decode_overhead_bytes(header));
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
  const Charge while_read = run.place.bytes <= limits_.max_file_bytes ? take(run.place.bytes) : Charge{};
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
  why_whole_ = why_whole(header.value(), run.place);
  const std::uint64_t pixels = decoded_bytes(header.value());
  const std::uint64_t beside = decode_overhead_bytes(header.value());
  taking_ = encoded.size() + pixels + beside;  // All of it, should even the first part not fit.
  Charge charge = charge_(pixels);
  const Charge while_decoding = charge_(beside);
  Result<Image> image = pantile::decode(encoded, limits_);
  if (!image) {
    return image.failure();
  }
  const Extent extent = image.value().extent();
  return made(std::move(image).value(), whole(extent), extent, xxh3_64(encoded), std::move(charge));
}

/// A row of a stack is pixels already.
ItemDecoder::Decoded ItemDecoder::decode_row(const RunBlock& run) {
  const Result<std::uint64_t> beside = items_.beside_row(run.place);
  if (!beside) {
    return beside.failure();
  }
  Charge charge = take(run.place.bytes);
  const Charge while_reading = take(beside.value());
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
  return std::make_shared<const DecodedItem>(DecodedItem{std::move(charge), std::move(image), rect, whole, sum});
}

}  // namespace pantile
