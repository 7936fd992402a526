#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/error.hpp"
#include "codec/byte_stream.hpp"
#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

/// All that one decode needs, and nothing with a destructor: see decoders.hpp.
struct PngJob {
  png_structp png{};
  png_infop info{};
  std::jmp_buf escape{};
  ByteStream* stream{};
  std::span<const std::byte> ready{};  ///< of the stream, not yet taken
  std::byte* to{};                     ///< where the next rows go
  int rows{};                          ///< how many
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
  while (count > 0) {
    if (job.ready.empty()) {
      job.ready = job.stream->next();
    }
    if (job.ready.empty()) {
      job.ran_out = true;
      png_error(png, "the file ends");
    }
    const std::size_t some = std::min(count, job.ready.size());
    std::memcpy(to, job.ready.data(), some);
    job.ready = job.ready.subspan(some);
    to += some;
    count -= some;
  }
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

void begin(PngJob& job) {
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png == nullptr) {
    job.out_of_memory = true;
    std::longjmp(job.escape, 1);
  }
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) {
    png_error(job.png, "out of memory");
  }
  prepare(job);
}

/// The next rows; of an interlaced image all, pass by pass.
void read_some(PngJob& job) {
  const int first = job.row;
  for (; job.pass < job.passes; ++job.pass) {
    for (job.row = first; job.row < first + job.rows; ++job.row) {
      std::byte* const to = job.to + static_cast<std::size_t>(job.row - first) * job.row_bytes;
      png_read_row(job.png, reinterpret_cast<png_bytep>(to), nullptr);
    }
    if (job.row < job.extent.height) {
      return;
    }
  }
  png_read_end(job.png, nullptr);
}

/// True if the step was done; otherwise the job says why not.
bool run(PngJob& job, void (*step)(PngJob&)) {
  if (setjmp(job.escape) != 0) {
    return false;
  }
  step(job);
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

class PngRows final : public RowReader {
 public:
  PngRows(ByteReader& file, const ImageHeader& header) : stream_{file} {
    job_.stream = &stream_;
    job_.row_bytes = decoded_bytes(header) / static_cast<std::size_t>(header.stored.height);
    job_.extent = header.stored;
    job_.has_alpha = header.has_alpha;
  }
  PngRows(const PngRows&) = delete;
  PngRows& operator=(const PngRows&) = delete;
  ~PngRows() override { png_destroy_read_struct(&job_.png, &job_.info, nullptr); }

  std::optional<Failure> read(std::span<std::byte> rows) override {
    job_.to = rows.data();
    job_.rows = static_cast<int>(rows.size() / job_.row_bytes);
    expect(rows.size() % job_.row_bytes == 0 && job_.row + job_.rows <= job_.extent.height, "rows of the image");
    if ((job_.png != nullptr || run(job_, begin)) && run(job_, read_some)) {
      return {};
    }
    stream_.rethrow();
    if (job_.out_of_memory) {
      throw std::bad_alloc{};
    }
    return why(job_);
  }

 private:
  ByteStream stream_;
  PngJob job_{};
};

}  // namespace

std::unique_ptr<RowReader> png_rows(ByteReader& file, const ImageHeader& header) {
  return std::make_unique<PngRows>(file, header);
}

}  // namespace pantile::detail
