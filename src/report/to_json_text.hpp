#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pantile {

/// As people and programs are given it, with a line end. What is no UTF-8 (names of files are bytes) becomes U+FFFD.
/// `indent`: blanks for each level; -1: all in one line.
[[nodiscard]] inline std::string to_json_text(const nlohmann::ordered_json& json, int indent = 2) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace pantile
