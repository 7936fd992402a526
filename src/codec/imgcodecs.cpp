// The door to libpantile_imgcodecs.so, which is opened on the first file that needs it: OpenCV brings a hundred
// libraries along, and linked into the program it would cost every start 85 to 130 ms.

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "codec/decoders.hpp"
#include "codec/imgcodecs_abi.hpp"

namespace pantile::detail {
namespace {

constexpr const char* library_variable = "PANTILE_IMGCODECS_LIB";
constexpr const char* library_name = "libpantile_imgcodecs.so";

/// Where the library may be, best first. A file that the user named is the only one: falling back would hide a mistake.
std::vector<std::filesystem::path> candidates() {
  if (const char* const named = std::getenv(library_variable); named != nullptr && *named != '\0') {
    return {named};
  }
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  return {folder / library_name, folder.parent_path() / "lib" / library_name};
}

struct Library {
  PantileImgcodecsDecode decode;
  std::filesystem::path path;
};

/// The library stays open until the process ends: so do the threads that its libraries may have started.
Library open_library() {
  std::string reasons;
  for (const auto& path : candidates()) {
    if (void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); library != nullptr) {
      if (void* const function = ::dlsym(library, imgcodecs_symbol); function != nullptr) {
        return {reinterpret_cast<PantileImgcodecsDecode>(function), path};
      }
    }
    const char* const why = ::dlerror();
    reasons += fmt::format("\n  {}", why != nullptr ? why : "no reason given");
  }
  throw MissingModule{
      fmt::format("{} cannot be opened (BMP, Sun raster and JPEG 2000 files need it):{}\nInstall OpenCV's "
                  "imgcodecs, put the file beside pantile or in ../lib, or name it in {}.",
                  library_name, reasons, library_variable)};
}

const Library& library() {
  static const Library opened = open_library();  // Tried again by the next file if it throws.
  return opened;
}

}  // namespace

std::optional<Failure> decode_with_opencv(std::span<const std::byte> encoded, const ImageHeader& header, Image& into) {
  const PantileImgcodecsDecode decode = library().decode;
  PantileImgcodecsJob job{};
  job.encoded = reinterpret_cast<const unsigned char*>(encoded.data());
  job.encoded_bytes = encoded.size();
  job.height = header.stored.height;
  job.width = header.stored.width;
  job.channels = header.channels;
  job.sample_bytes = static_cast<int>(into.depth());
  job.into = reinterpret_cast<unsigned char*>(into.bytes().data());
  switch (decode(&job)) {
    case pantile_imgcodecs_done: return {};
    case pantile_imgcodecs_out_of_memory: throw std::bad_alloc{};
    default: break;
  }
  const std::string said = job.text;
  return Failure{Fault::corrupt, fmt::format("the pixel data is damaged or incomplete{}",
                                             said.empty() ? "" : fmt::format(" (OpenCV: {})", said))};
}

}  // namespace pantile::detail

namespace pantile {

std::filesystem::path open_imgcodecs() { return detail::library().path; }

}  // namespace pantile
