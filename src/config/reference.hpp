#pragma once
// The table of keys for people.

#include <string>
#include <vector>

namespace pantile {

struct KeyFacts {
  std::string key;       ///< "pipeline.ID.image.scale"
  std::string values;    ///< in words
  std::string fallback;  ///< the default, or "required"
  std::string affects;   ///< "result" or "execution"
  std::string meaning;
};
[[nodiscard]] std::vector<KeyFacts> key_facts();

/// The tables of docs/config.md between its two markers. The page is checked against this by a test.
[[nodiscard]] std::string config_reference_markdown();

}  // namespace pantile
