#pragma once
// Items to pixels, on the executor's decoder thread: read, gate, decode, and what is laid over white.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
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

/// Images with more pixels than this are read in parts where their format allows it, and so are those that there is no
/// room for whole. By region: each part costs what lies under its tiles. By bands: each costs its rows, as long as they
/// are asked for from top to bottom. Never the whole image.
inline constexpr std::int64_t in_parts_px = 64'000'000;

/// Owned and used by one thread.
class ItemDecoder {
 public:
  using Decoded = Result<std::shared_ptr<const DecodedItem>>;
  /// Charges so many bytes before they are taken; may wait. Throws std::bad_alloc if there will never be room.
  using ChargeBytes = std::function<Charge(std::uint64_t)>;

  ItemDecoder(DecodeLimits limits, ImageConfig::Alpha alpha, ChargeBytes charge);

  /// So many bytes of one image may be decoded at once, where its format leaves a choice.
  void set_room(std::uint64_t bytes) noexcept { room_ = bytes; }
  /// Looks at the item of this block, if it is another one than before: then the one before is let go.
  void begin(const RunBlock& run);
  /// How many rows of the current item, so many pixels wide, to ask for at once. At least 1.
  [[nodiscard]] int rows_at_once(int width) const;
  /// The pixels of the current item for some tiles. `needed`: of the item, as seen, what they will look at. `wide`:
  /// the same rows, with what their neighbours will look at, for whom it is kept if it is decoded too. What is decoded
  /// whole is kept for the next tiles of the same attempt, and so is its failure. Throws MissingModule.
  [[nodiscard]] Decoded decode(const RunBlock& run, Rect needed, Rect wide);
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
  [[nodiscard]] Decoded decode_whole(const RunBlock& run);
  [[nodiscard]] Decoded decode_row(const RunBlock& run);
  [[nodiscard]] Decoded decode_region(const RunBlock& run, Rect needed);
  [[nodiscard]] Decoded decode_band(const RunBlock& run, Rect band);
  [[nodiscard]] std::optional<Failure> go_to_row(const RunBlock& run, int row);
  [[nodiscard]] std::optional<Failure> read_columns(Rect part, Image& image, int from_row);
  void look_at_parts(const RunBlock& run);
  [[nodiscard]] Charge take(std::uint64_t bytes);
  template <class Make>
  [[nodiscard]] Decoded attempt(const RunBlock& run, Make make);
  /// Nothing if the item is better read whole.
  [[nodiscard]] std::optional<Result<InParts>> try_in_parts(const RunBlock& run);
  /// `from`: rows above it were made before.
  [[nodiscard]] Decoded made(Image image, Rect rect, Extent whole, std::uint64_t sum, Charge charge,
                             int from = 0) const;

  DecodeLimits limits_;
  ImageConfig::Alpha alpha_;
  ChargeBytes charge_;
  ItemReader items_;
  std::uint64_t room_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t taking_ = 0;                    ///< what was asked for, should there be no room
  std::string why_whole_;                       ///< it is decoded like that
  std::pair<ItemId, std::uint32_t> current_{};  ///< item and attempt; attempts count from 1: this is none
  std::optional<Decoded> kept_;      ///< of the current one: all, or its latest band, or why there is nothing
  std::optional<InParts> in_parts_;  ///< of the current one, if it is read like that
  std::optional<Rows> rows_;         ///< of the current one, if it is read by bands
  bool has_read_ = false;
};

}  // namespace pantile
