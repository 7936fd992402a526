#pragma once
// Images decoded some rows at a time, from the first to the last: neither file nor image need be in memory whole.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "codec/byte_reader.hpp"
#include "codec/decode.hpp"
#include "codec/header.hpp"

namespace pantile {

/// True if the rows of an image come one after another as a person sees them: PNG that is not interlaced, JPEG of one
/// scan, neither of them turned or mirrored.
[[nodiscard]] bool reads_rows(const ImageHeader& header) noexcept;

/// An image that is being decoded. One thread.
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// Decodes the next rows, as stored: as many as fill `rows`, of channels and depth as decode() gives them. With the
  /// last row the end of the file is looked at, too. After a failure nothing more can be read, and `rows` mean nothing.
  /// Faults as of decode(). Throws Error if the file cannot be read; std::bad_alloc.
  [[nodiscard]] virtual std::optional<Failure> read(std::span<std::byte> rows) = 0;
};

/// Precondition: reads_rows(header), and it is the header of this file, which must outlive the reader.
[[nodiscard]] std::unique_ptr<RowReader> read_rows(ByteReader& file, const ImageHeader& header,
                                                   const DecodeLimits& limits);

}  // namespace pantile
