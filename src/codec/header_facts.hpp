#pragma once

#include "base/extent.hpp"

namespace pantile {

/// What of a header the result depends on. A file whose header says something else than the catalog has changed.
struct HeaderFacts {
  Extent extent{};      ///< as seen, after orientation
  int orientation = 1;  ///< EXIF: 1 to 8
  int channels = 0;
  int bits = 0;
  bool operator==(const HeaderFacts&) const = default;
};

template <class Archive>
void fields(Archive& archive, HeaderFacts& facts) {
  archive(facts.extent, facts.orientation, facts.channels, facts.bits);
}

}  // namespace pantile
