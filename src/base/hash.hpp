#pragma once
// xxh3: fast, not cryptographic. It finds rot and mistakes, not forgery.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pantile {

/// 128 bits that add up mod 2^128, so that a sum over records does not depend on their order.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Hash128&) const = default;
  constexpr Hash128& operator+=(const Hash128& other) noexcept {
    const std::uint64_t sum = low + other.low;
    high += other.high + (sum < low ? 1 : 0);
    low = sum;
    return *this;
  }
  constexpr Hash128& operator-=(const Hash128& other) noexcept {
    high -= other.high + (low < other.low ? 1 : 0);
    low -= other.low;
    return *this;
  }
};

/// 32 lower-case hex digits, high half first.
[[nodiscard]] std::string to_string(const Hash128& hash);
[[nodiscard]] std::optional<Hash128> parse_hash128(std::string_view hex);

[[nodiscard]] Hash128 xxh3_128(std::span<const std::byte> bytes) noexcept;
[[nodiscard]] std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept;

/// xxh3_128 of a stream, piece by piece. One thread at a time.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] Hash128 digest() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantile
