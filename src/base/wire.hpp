#pragma once
// Plain values to bytes and back: messages between ranks, records of the journal. Little-endian, no padding, no
// pointers.
//
//     Writer writer;  writer.put(item).put(extent.height).put(path);
//     Reader reader{writer.bytes()};  const auto item = reader.get<ItemId>(); …; reader.finish();

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.hpp"

namespace pantile {

static_assert(std::endian::native == std::endian::little,
              "the formats are little-endian and written as they lie in memory");

template <class T>
concept WireScalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

using Bytes = std::vector<std::byte>;

/// Bytes that do not hold what they should: torn, foreign, or of another version.
class WireError : public Error {
 public:
  using Error::Error;
};

class Writer {
 public:
  template <WireScalar T>
  Writer& put(T value) {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  /// A length (u32), then the bytes.
  Writer& put(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    return raw(std::as_bytes(std::span{text}));
  }
  Writer& put(const std::string& text) { return put(std::string_view{text}); }
  Writer& put(const char* text) { return put(std::string_view{text}); }
  /// The bytes alone: the reader must know how many.
  Writer& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const& noexcept { return bytes_; }
  [[nodiscard]] Bytes bytes() && noexcept { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// Reads what a Writer wrote; throws WireError rather than read past the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : rest_{bytes} {}

  template <WireScalar T>
  [[nodiscard]] T get() {
    T value;
    const auto bytes = take(sizeof value);
    if constexpr (std::is_same_v<T, bool>) {
      if (bytes[0] > std::byte{1}) {
        throw WireError{"a record holds " + std::to_string(std::to_integer<int>(bytes[0])) +
                        " where it says yes (1) or no (0)"};
      }
    }
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::string text() {
    const auto bytes = take(get<std::uint32_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  [[nodiscard]] std::span<const std::byte> take(std::size_t count) {
    if (count > rest_.size()) {
      throw WireError{"a record ends too early: " + std::to_string(count) + " bytes wanted, " +
                      std::to_string(rest_.size()) + " left"};
    }
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
  void finish() const {
    if (!rest_.empty()) {
      throw WireError{"a record is longer than it should be by " + std::to_string(rest_.size()) + " bytes"};
    }
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace pantile
