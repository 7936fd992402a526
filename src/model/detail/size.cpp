#include "model/detail/size.hpp"

#include <numeric>

namespace pantile::detail {

namespace {

constexpr std::int64_t largest_term = 1 << 20;
/// Larger claims are no strides of a network.
constexpr std::int64_t largest_claim = 1 << 16;

Size reduced(Size size) {
  const std::int64_t common = std::gcd(size.up, size.down);
  if (common > 1) {
    size.up /= common;
    size.down /= common;
  }
  if (std::abs(size.up) > largest_term || size.down > largest_term || size.down < 1 || !std::isfinite(size.offset)) {
    return only_at(size.at);
  }
  if (size.is_side() && size.up == 0) {
    size.kind = Size::Kind::number;
    size.down = 1;
  }
  return size;
}

Size sum(const Size& a, const Size& b, int sign) {
  const double at = a.at + sign * b.at;
  if (a.is_number() && b.is_number()) {
    return number(a.offset + sign * b.offset);
  }
  if (a.kind == Size::Kind::unknown || b.kind == Size::Kind::unknown ||
      (a.is_side() && b.is_side() && a.kind != b.kind)) {
    return only_at(at);
  }
  return reduced({.kind = a.is_side() ? a.kind : b.kind,
                  .up = a.up * b.down + sign * b.up * a.down,
                  .down = a.down * b.down,
                  .offset = a.offset + sign * b.offset,
                  .at = at});
}

Size scaled(const Size& a, double factor, double at) {
  const auto fraction = as_fraction(factor);
  if (!a.is_side() || !fraction) {
    return only_at(at);
  }
  return reduced({.kind = a.kind,
                  .up = a.up * fraction->up,
                  .down = a.down * fraction->down,
                  .offset = a.offset * factor,
                  .at = at});
}

Size claim(const Size& a, double offset, double at, Claims& claims) {
  std::int64_t& claimed = a.kind == Size::Kind::height ? claims.height : claims.width;
  const std::int64_t all = std::lcm(claimed, a.down);
  if (all > largest_claim) {
    return only_at(at);
  }
  claimed = all;
  Size whole = a;
  whole.offset = offset;
  whole.at = at;
  return whole;
}

}  // namespace

Size number(double value) {
  return {.kind = std::isnan(value) ? Size::Kind::unknown : Size::Kind::number,
          .up = 0,
          .down = 1,
          .offset = value,
          .at = value};
}

Size side(Size::Kind kind, double nominal) { return {.kind = kind, .up = 1, .down = 1, .offset = 0, .at = nominal}; }

Size only_at(double nominal) { return {.kind = Size::Kind::unknown, .up = 0, .down = 1, .offset = 0, .at = nominal}; }

Size operator+(const Size& a, const Size& b) { return sum(a, b, 1); }

Size operator-(const Size& a, const Size& b) { return sum(a, b, -1); }

Size operator*(const Size& a, const Size& b) {
  const double at = a.at * b.at;
  if (a.is_number() && b.is_number()) {
    return number(a.offset * b.offset);
  }
  return a.is_number() ? scaled(b, a.offset, at) : b.is_number() ? scaled(a, b.offset, at) : only_at(at);
}

Size operator/(const Size& a, const Size& b) {
  const double at = a.at / b.at;
  if (const auto fraction = ratio(a, b)) {
    return number(static_cast<double>(fraction->up) / static_cast<double>(fraction->down));
  }
  if (a.is_number() && b.is_number()) {
    return number(a.offset / b.offset);
  }
  if (a.is_side() && b.is_number() && b.offset != 0) {
    return scaled(a, 1 / b.offset, at);
  }
  return only_at(at);
}

Size rounded_down(const Size& a, Claims& claims) {
  if (a.is_number()) {
    return number(std::floor(a.offset));
  }
  return a.is_side() ? claim(a, std::floor(a.offset), std::floor(a.at), claims) : only_at(std::floor(a.at));
}

Size rounded_up(const Size& a, Claims& claims) {
  if (a.is_number()) {
    return number(std::ceil(a.offset));
  }
  return a.is_side() ? claim(a, std::ceil(a.offset), std::ceil(a.at), claims) : only_at(std::ceil(a.at));
}

std::optional<Fraction> ratio(const Size& a, const Size& b) {
  if (a.is_number() && b.is_number()) {
    return b.offset == 0 ? std::nullopt : as_fraction(a.offset / b.offset);
  }
  if (!a.is_side() || a.kind != b.kind || a.up == 0 || b.up == 0) {
    return std::nullopt;
  }
  const std::int64_t up = a.up * b.down;
  const std::int64_t down = a.down * b.up;
  const std::int64_t common = std::gcd(up, down) * (down < 0 ? -1 : 1);
  if (a.offset * static_cast<double>(down) != b.offset * static_cast<double>(up)) {
    return std::nullopt;
  }
  return Fraction{up / common, down / common};
}

std::optional<Fraction> as_fraction(double value) {
  for (std::int64_t down = 1; down <= 64; ++down) {
    const double up = value * static_cast<double>(down);
    if (std::abs(up) < 1e6 && std::abs(up - std::round(up)) < 1e-6 * std::abs(up)) {
      const auto whole = static_cast<std::int64_t>(std::llround(up));
      return Fraction{whole, down};
    }
  }
  return value == 0 ? std::optional{Fraction{0, 1}} : std::nullopt;
}

}  // namespace pantile::detail
