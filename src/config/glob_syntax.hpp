#pragma once
// How a glob is written. source/glob.hpp matches them and says what they mean; a mistake in one is a mistake of the
// job, so that it is found here, where there is a line and a caret to point to. Pure.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantile {

inline constexpr std::size_t longest_glob = 4096;

/// Why this is no glob, if so: "a '{' is not closed. …".
[[nodiscard]] std::optional<std::string> glob_mistake(std::string_view pattern);

/// The patterns without braces that it stands for. Precondition: there is no glob_mistake().
[[nodiscard]] std::vector<std::string> glob_alternatives(std::string_view pattern);

/// The end of the set that begins at pattern[at] == '[', one past its ']'; nothing if it does not close in this name.
[[nodiscard]] std::optional<std::size_t> end_of_glob_set(std::string_view pattern, std::size_t at);

}  // namespace pantile
