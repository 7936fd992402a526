#pragma once
// The door between Pantile and libpantile_imgcodecs.so, which holds what needs OpenCV. Plain C on purpose: the library
// is opened with dlopen, and nothing but numbers and pointers crosses.

#include <cstddef>

namespace pantile::detail {

extern "C" {

/// One picture to decode. `into` has height × width × channels samples of sample_bytes, without padding.
struct PantileImgcodecsJob {
  const unsigned char* encoded;
  std::size_t encoded_bytes;
  int height;
  int width;
  int channels;      ///< 1 grey, 3 RGB, 4 RGB with alpha
  int sample_bytes;  ///< 1 or 2
  unsigned char* into;
  char text[256];  ///< what OpenCV said, if it failed
};

enum PantileImgcodecsOutcome { pantile_imgcodecs_done, pantile_imgcodecs_failed, pantile_imgcodecs_out_of_memory };

// NOLINTNEXTLINE(readability-identifier-naming): a name for dlsym
using PantileImgcodecsDecode = int (*)(PantileImgcodecsJob*);
}

inline constexpr const char* imgcodecs_symbol = "pantile_imgcodecs_decode";

}  // namespace pantile::detail
