#pragma once
// A text file that names images.

#include <filesystem>

#include "source/name_list.hpp"

namespace pantile::detail {

/// One path a line, in the order of the lines, relative to the list's folder; one that lies elsewhere stays as it is
/// written. Blank lines and lines that begin with '#' are left out ("./#1.png" names a file of such a name); a carriage
/// return at the end of a line and a byte order mark are no part of a name. Whether the files are there is not looked
/// at. Throws UsageError if a file is named twice, or a line is no path: not UTF-8, with a byte 0, or longer than any
/// path.
[[nodiscard]] NameList read_list(const std::filesystem::path& list);

}  // namespace pantile::detail
