#pragma once
// A config as YAML text again, along the table of keys.

#include <functional>
#include <optional>
#include <string>

#include "config/fields.hpp"

namespace pantile {

/// The text of one value; nothing leaves the key out. `index`: of the list or map entry on the way.
using WriteValue = std::function<std::optional<std::string>(const Field& field, const Slot& slot, std::size_t index)>;

/// Block style, two blanks a level, keys in the order of the table. Groups without keys are left out.
[[nodiscard]] std::string emit_config(const RunConfig& config, const WriteValue& write);

}  // namespace pantile
