#pragma once
// Behind inputs.hpp: what is in an archive, whichever kind it is.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "source/catalog.hpp"
#include "source/input_kind.hpp"
#include "source/name_list.hpp"

namespace pantile::detail {

struct MemberPlace {
  std::uint64_t at = 0;
  std::uint64_t bytes = 0;
};

struct MemberList {
  NameList names;                                       ///< sorted, each once
  std::vector<MemberPlace> places;                      ///< by NameList::number()
  std::unordered_map<std::uint64_t, Failure> failures;  ///< the same; of the few that cannot be read
};

/// The files of an archive that `choice` takes, less the hidden ones. A member of a zip archive that is larger than
/// `max_member_bytes` has a failure: it could only be unpacked whole. Throws as list_inputs().
[[nodiscard]] MemberList list_members(const CatalogRoot& archive, const Choice& choice, std::uint64_t max_member_bytes);

}  // namespace pantile::detail
