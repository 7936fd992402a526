#pragma once
// A bad item is data. Result<T> holds a T or the Failure that says why there is none: our stand-in for std::expected.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.hpp"

namespace pantile {

/// Why an item has no result. The numbers enter the run digest and the journal: never change one, only add.
enum class Fault : std::uint8_t {
  none = 0,
  unreadable = 1,    ///< the file cannot be opened or read
  not_an_image = 2,  ///< no known magic, or a header that makes no sense
  unsupported = 3,   ///< a known format in a flavour that we do not decode
  truncated = 4,     ///< coded pixel data is missing
  corrupt = 5,       ///< coded pixel data or a checksum is wrong
  too_large = 6,     ///< beyond a limit of the input gate
  changed = 7,       ///< the file is not the one the catalog was made from
  does_not_fit = 8,  ///< no tile of it fits under the memory cap
  model_failed = 9,  ///< the engine refused it, and memory was not the reason
  crashed = 10,      ///< it ended its executor, more than once
  killed = 11        ///< its executor was killed over it, again and again, with nobody seen to do it
};

/// The stable, lower-case name of a fault, as in quarantine.csv: "truncated".
[[nodiscard]] std::string_view name(Fault fault) noexcept;

/// True if the item itself is to blame and not a machine: it is part of the result that the item has none.
[[nodiscard]] constexpr bool is_bad_input(Fault fault) noexcept {
  return fault >= Fault::unreadable && fault <= Fault::changed;
}

/// True if another try, by another rank, would fail alike. A file that cannot be read is not among these: a mount may
/// be away on one node, or for a while.
[[nodiscard]] constexpr bool is_final(Fault fault) noexcept {
  return (is_bad_input(fault) && fault != Fault::unreadable) || fault == Fault::killed;
}

/// Why there is no result, for the machine and for a person ("JPEG ends after 512 of 1401 rows").
struct Failure {
  Fault fault = Fault::none;
  std::string detail;
  bool operator==(const Failure&) const = default;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}  // NOLINT(google-explicit-constructor)
  Result(Failure failure)
      : state_{std::in_place_index<1>, std::move(failure)} {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// Precondition: ok().
  [[nodiscard]] T& value() & {
    expect(ok(), "a Result is asked for its value only if it has one");
    return std::get<0>(state_);
  }
  [[nodiscard]] const T& value() const& {
    expect(ok(), "a Result is asked for its value only if it has one");
    return std::get<0>(state_);
  }
  [[nodiscard]] T&& value() && {
    expect(ok(), "a Result is asked for its value only if it has one");
    return std::get<0>(std::move(state_));
  }
  /// Precondition: !ok().
  [[nodiscard]] const Failure& failure() const {
    expect(!ok(), "a Result is asked for its failure only if it has one");
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace pantile
