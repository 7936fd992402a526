#pragma once
// Behind decode.hpp: the bytes of a file from the first to the last, for libraries that leave their code by longjmp.

#include <cstdint>
#include <exception>
#include <span>
#include <utility>

#include "codec/byte_reader.hpp"

namespace pantile::detail {

class ByteStream {
 public:
  /// `file` must outlive it.
  explicit ByteStream(ByteReader& file) : file_{file}, buffer_(file.in_memory().empty() ? buffer_bytes : 0) {}

  /// The bytes that come next, valid until the next call; empty at the end of the file, or if it cannot be read.
  [[nodiscard]] std::span<const std::byte> next() noexcept {
    try {
      if (buffer_.empty()) {
        const std::span<const std::byte> all = file_.in_memory();
        return all.subspan(std::exchange(at_, all.size()));
      }
      const std::size_t count = file_.read_at(at_, buffer_);
      at_ += count;
      return std::span{buffer_}.first(count);
    } catch (...) {
      broken_ = std::current_exception();
      return {};
    }
  }
  /// Throws what the reader threw, if it did.
  void rethrow() const {
    if (broken_) {
      std::rethrow_exception(broken_);
    }
  }

 private:
  static constexpr std::size_t buffer_bytes = std::size_t{64} << 10U;
  ByteReader& file_;
  std::uint64_t at_ = 0;
  Bytes buffer_;
  std::exception_ptr broken_;
};

}  // namespace pantile::detail
