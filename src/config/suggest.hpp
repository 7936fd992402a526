#pragma once
// "Did you mean …?" for keys, values and commands. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantile {

/// The names closest to `wrong`, at most two, none if all are far. Swapped neighbours count as one change.
[[nodiscard]] std::vector<std::string> similar_names(std::string_view wrong, const std::vector<std::string>& names);
/// The closest name, if one is close.
[[nodiscard]] std::optional<std::string> suggestion(std::string_view wrong, const std::vector<std::string>& names);
/// "did you mean 'a' or 'b'?", or nothing.
[[nodiscard]] std::string did_you_mean(const std::vector<std::string>& names);

}  // namespace pantile
