#pragma once

#include <string>

#include "app/item_history.hpp"

namespace pantile::app {

/// What `pantile why` prints, for people and for programs. Pure. Each ends in a newline.
[[nodiscard]] std::string why_text(const ItemHistory& history);
[[nodiscard]] std::string why_json(const ItemHistory& history);

}  // namespace pantile::app
