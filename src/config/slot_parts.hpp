#pragma once
// What the slots themselves are made of; only slot.cpp and slot_numbers.cpp need it.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/slot.hpp"

namespace pantile::slot {

using Text = std::optional<std::string>;
enum class Quotes { allowed, refused };

/// A slot of one scalar. `assign` takes the text if it is right. Where quotes are refused, they are around numbers
/// only: words and ratios may stand in quotes, as all that is no number must in JSON.
[[nodiscard]] Slot scalar(std::string type, std::string schema, Quotes quotes,
                          std::function<bool(const std::string&)> assign, std::function<Text()> write);

[[nodiscard]] bool is_quoted_number(const ConfigNode& node);

/// "[a, b]"
[[nodiscard]] std::string flow_list(const std::vector<std::string>& texts);

}  // namespace pantile::slot
