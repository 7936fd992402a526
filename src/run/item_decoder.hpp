#pragma once
// Items to pixels, on the executor's decoder thread: read, gate, decode, and what is laid over white.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/result.hpp"
#include "codec/decode.hpp"
#include "codec/row_reader.hpp"
#include "config/config.hpp"
#include "pipeline/executor_protocol.hpp"
#include "pipeline/lanes.hpp"
#include "source/item_reader.hpp"

namespace pantile {

/// The gate of a job.
[[nodiscard]] DecodeLimits decode_limits(const LimitsConfig& limits);

/// Images with more pixels than this are read in parts where their format allows it. By region: each block costs what
/// lies under its tiles. By bands: each row of blocks costs its rows, as long as blocks are asked for from top to
/// bottom. Never the whole image.
inline constexpr std::int64_t in_parts_px = 64'000'000;

/// Owned and used by one thread.
class ItemDecoder {
 public:
  using Decoded = Result<std::shared_ptr<const DecodedItem>>;
  /// Charges so many bytes before they are taken; may wait. Throws std::bad_alloc if there will never be room.
  using ChargeBytes = std::function<Charge(std::uint64_t)>;

  ItemDecoder(DecodeLimits limits, ImageConfig::Alpha alpha, ChargeBytes charge);

  /// The pixels for a block. `needed`: of the item, as seen, what its tiles will look at. What is decoded whole, or as
  /// a band, is kept for the next block of the same attempt, and so is its failure. Throws MissingModule.
  [[nodiscard]] Decoded decode(const RunBlock& run, Rect needed);
  /// True if the last decode() read something, rather than to answer with what was kept.
  [[nodiscard]] bool has_read() const noexcept { return has_read_; }
  /// The item is done with.
  void forget();

 private:
  /// An item that is read in parts.
  struct InParts {
    ImageHeader header;
    std::uint64_t sum = 0;  ///< of the encoded bytes
  };
  /// Where a reader of bands has come to. `rows` stands on `file`.
  struct Rows {
    Charge overhead;
    std::unique_ptr<ByteReader> file;
    std::unique_ptr<RowReader> rows;
    int next = 0;
  };
  [[nodiscard]] Decoded decode_first(const RunBlock& run, Rect needed);
  [[nodiscard]] Decoded decode_whole(const RunBlock& run);
  [[nodiscard]] Decoded decode_row(const RunBlock& run);
  [[nodiscard]] Decoded decode_part(const RunBlock& run, Rect needed);
  [[nodiscard]] Decoded decode_region(const RunBlock& run, Rect needed);
  [[nodiscard]] Decoded decode_band(const RunBlock& run, Rect needed);
  [[nodiscard]] std::optional<Failure> go_to_row(const RunBlock& run, int row);
  /// Nothing if the item is better read whole.
  [[nodiscard]] std::optional<Result<InParts>> try_in_parts(const RunBlock& run);
  /// `from`: rows above it were made before.
  [[nodiscard]] Decoded made(Image image, Rect rect, Extent whole, std::uint64_t sum, Charge charge,
                             int from = 0) const;

  DecodeLimits limits_;
  ImageConfig::Alpha alpha_;
  ChargeBytes charge_;
  ItemReader items_;
  std::pair<ItemId, std::uint32_t> current_{};  ///< item and attempt; attempts count from 1: this is none
  std::optional<Decoded> kept_;      ///< of the current one: all, or its latest band; or why there is nothing
  std::optional<InParts> in_parts_;  ///< of the current one, if it is read like that
  std::optional<Rows> rows_;         ///< of the current one, if it is read by bands
  bool has_read_ = false;
};

}  // namespace pantile
