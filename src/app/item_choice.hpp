#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace pantile::app {

/// The item that a person means by its path or its number. `by_path`: those with that path; `items`: of the run. Throws
/// UsageError, with what to give instead, if there is none or more than one.
[[nodiscard]] ItemId chosen_item(const std::string& text, const std::vector<ItemId>& by_path, std::uint64_t items);

}  // namespace pantile::app
