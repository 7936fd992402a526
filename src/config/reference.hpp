#pragma once
// The table of keys for people.

#include <string>

namespace pantile {

/// The tables of docs/config.md between its two markers. The page is checked against this by a test.
[[nodiscard]] std::string config_reference_markdown();

}  // namespace pantile
