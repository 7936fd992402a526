#pragma once
// By which endings files are taken for images where nobody says which to take.

#include <array>
#include <string_view>

namespace pantile {

/// Of all formats that are read, in lower case, without the dot.
inline constexpr std::array<std::string_view, 3> image_endings{"png", "jpg", "jpeg"};

}  // namespace pantile
