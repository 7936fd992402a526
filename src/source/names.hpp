#pragma once
// What a name says of a file, and which names can be had.

#include <optional>
#include <string>
#include <string_view>

namespace pantile::detail {

/// Well-formed by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Of the system (PATH_MAX): what is longer is no path.
inline constexpr std::size_t longest_path = 4096;
/// "has 9000 bytes, …" if no file can have such a path; nothing if one can.
[[nodiscard]] std::optional<std::string> why_no_name(std::string_view path);
/// The part behind the last dot of the last name, in lower case: "jpg". Empty if there is none.
[[nodiscard]] std::string ending_of(std::string_view path);
/// It ends like a format that we read.
[[nodiscard]] bool is_image_name(std::string_view path);
/// A name of the path begins with a dot, or is the folder in which macOS hides what is not in the archive.
[[nodiscard]] bool is_hidden(std::string_view path);
/// How members are called: no "./" at the front, no doubled '/'. A folder keeps its '/' at the end.
[[nodiscard]] std::string member_name(std::string_view stored);

}  // namespace pantile::detail
