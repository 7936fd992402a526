#pragma once
// One of several equal parts of a job's items, for runs that know nothing of each other.

#include <cstddef>
#include <span>
#include <string_view>

#include "base/hash.hpp"

namespace pantile {

/// Part `number` of `count`, from 1.
struct Part {
  int number = 1;
  int count = 1;

  /// By the item's path alone: whatever else comes to its folder or leaves it, an item stays in its part. So parts that
  /// list a growing folder at different times have no item in common, and are of about one size.
  [[nodiscard]] bool takes(std::string_view path) const noexcept {
    return count == 1 ||
           static_cast<int>(xxh3_64(std::as_bytes(std::span{path})) % static_cast<unsigned>(count)) == number - 1;
  }
  bool operator==(const Part&) const = default;
};

}  // namespace pantile
