#pragma once

#include "base/wire.hpp"
#include "image/image.hpp"

namespace pantile {

/// A PNG file of the image. `compression_level` 0 (none) to 9 (small). Precondition: a non-empty image of 1 to 4
/// channels. The pixels are exact; the bytes depend on the version of zlib. Thread safe. Throws Error if libpng fails.
[[nodiscard]] Bytes encode_png(ImageView image, int compression_level);

}  // namespace pantile
