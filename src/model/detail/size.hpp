#pragma once
// Numbers that a graph computes from the size of its image. Exporters write `Shape`, `Gather`, `Div` and `Concat` where
// a person would write "twice the height"; this follows them.

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace pantile::detail {

/// A number: up · height / down + offset, or of the width, or a plain number (its `offset`). Beside it what it comes to
/// for an image of the nominal extent. Fractions hold for images whose sides are whole multiples of what was divided by
/// (see Claims).
struct Size {
  enum class Kind : std::uint8_t { number, height, width, unknown };
  Kind kind = Kind::unknown;
  std::int64_t up = 0;
  std::int64_t down = 1;
  double offset = 0;
  double at = std::numeric_limits<double>::quiet_NaN();  ///< for the nominal extent; NaN if that is not known either

  [[nodiscard]] bool is_number() const noexcept { return kind == Kind::number; }
  [[nodiscard]] bool is_side() const noexcept { return kind == Kind::height || kind == Kind::width; }
  [[nodiscard]] bool is_known() const noexcept { return !std::isnan(at); }
  bool operator==(const Size& other) const noexcept {
    return kind != Kind::unknown && kind == other.kind && up == other.up && down == other.down &&
           offset == other.offset;
  }
};

/// The sides of the image are taken to be multiples of these: what was divided by, wherever something was rounded.
struct Claims {
  std::int64_t height = 1;
  std::int64_t width = 1;
};

/// What is not a number (0 / 0) is not known.
[[nodiscard]] Size number(double value);
[[nodiscard]] Size side(Size::Kind kind, double nominal);
/// Known for the nominal extent only.
[[nodiscard]] Size only_at(double nominal);

[[nodiscard]] Size operator+(const Size& a, const Size& b);
[[nodiscard]] Size operator-(const Size& a, const Size& b);
[[nodiscard]] Size operator*(const Size& a, const Size& b);
[[nodiscard]] Size operator/(const Size& a, const Size& b);
[[nodiscard]] Size rounded_down(const Size& a, Claims& claims);
[[nodiscard]] Size rounded_up(const Size& a, Claims& claims);

/// As a whole number, whatever it is: the nearest that there is, 0 for NaN.
[[nodiscard]] constexpr std::int64_t as_whole(double value) {
  constexpr double most = 9e18;
  return value >= most ? INT64_MAX : value <= -most ? INT64_MIN : value == value ? static_cast<std::int64_t>(value) : 0;
}

/// a / b as a fraction of small whole numbers, if it is one for every image.
struct Fraction {
  std::int64_t up = 1;
  std::int64_t down = 1;
  bool operator==(const Fraction&) const = default;
};
[[nodiscard]] std::optional<Fraction> ratio(const Size& a, const Size& b);
/// A number such as 0.5 or 1.3333334 as a fraction with a denominator of at most 64.
[[nodiscard]] std::optional<Fraction> as_fraction(double value);

}  // namespace pantile::detail
