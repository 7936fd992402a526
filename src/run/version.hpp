#pragma once

#include <string>

namespace pantile {

/// "pantile 0.1.0 (git 1c9e2f4)": what made a shard.
[[nodiscard]] std::string version_line();

}  // namespace pantile
