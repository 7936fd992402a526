#pragma once

#include <string>

#include "app/command_line.hpp"
#include "app/completion_words.hpp"

namespace pantile::app {

/// A script for this shell that completes what the grammar has: commands, options, their values.
[[nodiscard]] std::string completion_script(Shell shell, const std::vector<CommandWords>& commands);

}  // namespace pantile::app
