#pragma once
// A set of record types as one kind of message: the position in the variant is the type on the wire.

#include <array>
#include <cstdint>
#include <variant>

#include "base/fields.hpp"

namespace pantile {

/// One byte for the type, then the record's fields.
template <class... Types>
[[nodiscard]] Bytes encode_message(const std::variant<Types...>& message) {
  static_assert(sizeof...(Types) < 256);
  Bytes bytes{static_cast<std::byte>(message.index())};
  const Bytes record = std::visit([](const auto& value) { return encode(value); }, message);
  bytes.insert(bytes.end(), record.begin(), record.end());
  return bytes;
}

/// The message in `bytes`; throws WireError if it is none of `Message`'s types.
template <class Message>
[[nodiscard]] Message decode_message(std::span<const std::byte> bytes) {
  return []<class... Types>(std::span<const std::byte> raw, std::variant<Types...>*) -> Message {
    using Decoder = Message (*)(std::span<const std::byte>);
    static constexpr std::array<Decoder, sizeof...(Types)> decoders{
        [](std::span<const std::byte> record) -> Message { return decode<Types>(record); }...};
    if (raw.empty() || std::to_integer<std::size_t>(raw[0]) >= decoders.size()) {
      throw WireError{"a message of unknown type arrived. Do all ranks run the same pantile?"};
    }
    return decoders[std::to_integer<std::size_t>(raw[0])](raw.subspan(1));
  }(bytes, static_cast<Message*>(nullptr));
}

}  // namespace pantile
