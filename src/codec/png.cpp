#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <new>

#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

/// All that one decode needs, and nothing with a destructor: see decoders.hpp.
struct PngJob {
  png_structp png{};
  png_infop info{};
  std::jmp_buf escape{};
  const std::byte* encoded{};
  std::size_t left{};
  std::byte* pixels{};
  std::size_t row_bytes{};
  Extent extent{};
  bool has_alpha{};
  int passes{};
  int pass{};
  int row{};
  bool ran_out{};
  bool out_of_memory{};
  char text[128]{};
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  PngJob& job = *static_cast<PngJob*>(png_get_error_ptr(png));
  std::strncpy(job.text, text, sizeof job.text - 1);
  job.out_of_memory = job.out_of_memory || std::strstr(text, "ut of memory") != nullptr;
  std::longjmp(job.escape, 1);
}

/// What libpng only warns of is about chunks that hold no pixels: checksums and streams of those that do are errors.
void on_warning(png_structp /*png*/, png_const_charp /*text*/) {}

void on_read(png_structp png, png_bytep to, std::size_t count) {
  PngJob& job = *static_cast<PngJob*>(png_get_io_ptr(png));
  if (count > job.left) {
    job.ran_out = true;
    png_error(png, "the file ends");
  }
  std::memcpy(to, job.encoded, count);
  job.encoded += count;
  job.left -= count;
}

void prepare(PngJob& job) {
  png_structp png = job.png;
  png_set_read_fn(png, &job, on_read);
  // Everything but IHDR, PLTE, tRNS, IDAT and IEND is stepped over: no text or profile is unpacked, however large.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_user_limits(png, static_cast<png_uint_32>(job.extent.width), static_cast<png_uint_32>(job.extent.height));
  png_read_info(png, job.info);
  png_set_expand(png);  // Palettes to RGB, 1, 2 and 4 bits to 8, a transparent colour to alpha.
  if (std::endian::native == std::endian::little) {
    png_set_swap(png);
  }
  // A transparent colour that libpng thinks nothing of: the header promised alpha all the same.
  const bool has_alpha = (png_get_color_type(png, job.info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                         png_get_valid(png, job.info, PNG_INFO_tRNS) != 0;
  if (job.has_alpha && !has_alpha) {
    png_set_add_alpha(png, 0xFFFF, PNG_FILLER_AFTER);
  }
  job.passes = png_set_interlace_handling(png);
  png_read_update_info(png, job.info);
  const bool as_expected = png_get_image_height(png, job.info) == static_cast<png_uint_32>(job.extent.height) &&
                           png_get_image_width(png, job.info) == static_cast<png_uint_32>(job.extent.width) &&
                           png_get_rowbytes(png, job.info) == job.row_bytes;
  if (!as_expected) {
    png_error(png, "its chunks contradict each other");
  }
}

void read_image(PngJob& job) {
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) {
    png_error(job.png, "out of memory");
  }
  prepare(job);
  for (job.pass = 0; job.pass < job.passes; ++job.pass) {
    for (job.row = 0; job.row < job.extent.height; ++job.row) {
      png_read_row(job.png, reinterpret_cast<png_bytep>(job.pixels + static_cast<std::size_t>(job.row) * job.row_bytes),
                   nullptr);
    }
  }
  png_read_end(job.png, nullptr);
}

/// True if the image was read; otherwise the job says why not.
bool run(PngJob& job) {
  if (setjmp(job.escape) != 0) {
    return false;
  }
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png == nullptr) {
    job.out_of_memory = true;
    return false;
  }
  read_image(job);
  return true;
}

Failure why(const PngJob& job) {
  const int height = job.extent.height;
  const bool all_rows = job.passes > 0 && job.pass == job.passes;
  std::string place = fmt::format("after {} of {} rows", job.row, height);
  if (job.passes > 1) {
    place = fmt::format("in pass {} of {}, {}", std::min(job.pass + 1, job.passes), job.passes, place);
  }
  if (!job.ran_out) {
    return {Fault::corrupt, fmt::format("PNG is damaged {} ({})", place, job.text)};
  }
  if (all_rows) {
    return {Fault::truncated, fmt::format("PNG has data for its {} rows, but no end", height)};
  }
  return {Fault::truncated, fmt::format("PNG ends {}", place)};
}

}  // namespace

std::optional<Failure> decode_png(std::span<const std::byte> encoded, const ImageHeader& header, Image& into) {
  PngJob job{};
  job.encoded = encoded.data();
  job.left = encoded.size();
  job.pixels = into.bytes().data();
  job.row_bytes = into.view().row_bytes();
  job.extent = header.stored;
  job.has_alpha = header.has_alpha;
  const bool done = run(job);
  png_destroy_read_struct(&job.png, &job.info, nullptr);
  if (done) {
    return {};
  }
  if (job.out_of_memory) {
    throw std::bad_alloc{};
  }
  return why(job);
}

}  // namespace pantile::detail
