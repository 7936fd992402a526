#include "codec/encode.hpp"

#include <png.h>

#include <array>
#include <bit>
#include <csetjmp>
#include <cstring>
#include <new>
#include <string>

#include "base/error.hpp"

namespace pantile {
namespace {

/// Plain, like the decoders' (codec/decoders.hpp); `out` belongs to the caller.
struct EncodeJob {
  png_structp png{};
  png_infop info{};
  std::jmp_buf escape{};
  ImageView image{};
  int level{};
  Bytes* out{};
  bool out_of_memory{};
  char text[128]{};
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  EncodeJob& job = *static_cast<EncodeJob*>(png_get_error_ptr(png));
  std::strncpy(job.text, text, sizeof job.text - 1);
  std::longjmp(job.escape, 1);
}

void on_warning(png_structp /*png*/, png_const_charp /*text*/) {}

bool append(Bytes& out, const png_byte* from, std::size_t count) noexcept {
  try {
    const auto* const bytes = reinterpret_cast<const std::byte*>(from);
    out.insert(out.end(), bytes, bytes + count);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void on_write(png_structp png, png_bytep from, std::size_t count) {
  EncodeJob& job = *static_cast<EncodeJob*>(png_get_io_ptr(png));
  if (!append(*job.out, from, count)) {
    job.out_of_memory = true;
    png_error(png, "out of memory");
  }
}

void on_flush(png_structp /*png*/) {}

int colour_type(int channels) noexcept {
  constexpr std::array<int, 4> types{PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                     PNG_COLOR_TYPE_RGB_ALPHA};
  return types[static_cast<std::size_t>(channels - 1)];
}

void write_image(EncodeJob& job) {
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) {
    png_error(job.png, "out of memory");
  }
  const ImageView& image = job.image;
  png_set_write_fn(job.png, &job, on_write, on_flush);
  png_set_compression_level(job.png, job.level);
  png_set_user_limits(job.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(job.png, job.info, static_cast<png_uint_32>(image.extent.width),
               static_cast<png_uint_32>(image.extent.height), 8 * static_cast<int>(image.depth),
               colour_type(image.channels), PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(job.png, job.info);
  if (image.depth == Depth::u16 && std::endian::native == std::endian::little) {
    png_set_swap(job.png);
  }
  for (int y = 0; y < image.extent.height; ++y) {
    png_write_row(job.png, reinterpret_cast<png_const_bytep>(image.row(y)));
  }
  png_write_end(job.png, job.info);
}

bool run(EncodeJob& job) {
  if (setjmp(job.escape) != 0) {
    return false;
  }
  job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png == nullptr) {
    job.out_of_memory = true;
    return false;
  }
  write_image(job);
  return true;
}

}  // namespace

Bytes encode_png(ImageView image, int compression_level) {
  expect(!image.extent.empty() && image.channels >= 1 && image.channels <= 4,
         "an image has pixels, and 1 to 4 channels");
  expect(compression_level >= 0 && compression_level <= 9, "zlib has compression levels 0 to 9");
  Bytes out;
  EncodeJob job{};
  job.image = image;
  job.level = compression_level;
  job.out = &out;
  const bool done = run(job);
  png_destroy_write_struct(&job.png, &job.info);
  if (job.out_of_memory) {
    throw std::bad_alloc{};
  }
  if (!done) {
    throw Error{std::string{"cannot encode a PNG: "} + job.text};
  }
  return out;
}

}  // namespace pantile
