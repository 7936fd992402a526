#pragma once
// By which endings files are taken for images where nobody says which to take.

#include <array>
#include <string_view>

namespace pantile {

/// Of all formats that are read, in lower case, without the dot.
inline constexpr auto image_endings =
    std::to_array<std::string_view>({"png", "jpg", "jpeg", "webp", "tif", "tiff", "gif", "bmp", "pbm", "pgm", "ppm",
                                     "pnm", "pam", "ras", "jp2", "j2k"});

}  // namespace pantile
