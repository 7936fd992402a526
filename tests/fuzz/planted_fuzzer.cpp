// A mistake that the driver must find: see CMakeLists.txt.

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pantile::expect(size < 4 || data[3] != 0xFF, "the fourth byte is not 255");
  return 0;
}
