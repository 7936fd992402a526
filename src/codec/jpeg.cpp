#include <fmt/format.h>

// jpeglib.h needs size_t and FILE before it.
#include <csetjmp>
#include <cstdio>
#include <new>

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <vector>

#include "codec/cmyk.hpp"
#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

/// All that one decode needs, and nothing with a destructor: see decoders.hpp.
struct JpegJob {
  jpeg_decompress_struct codec{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  const unsigned char* encoded{};
  unsigned long encoded_bytes{};
  unsigned char* pixels{};
  std::size_t row_bytes{};
  unsigned char* inks{};  ///< a row of CMYK; null for all others
  Extent extent{};        ///< as the header parser saw it
  int components{};
  int max_scans{};
  bool ran_out{};  ///< the file, or its end marker, came before the image was complete; libjpeg goes on with zeros
  Fault fault{};
  int message{};  ///< libjpeg's number of what went wrong
  char text[JMSG_LENGTH_MAX]{};
};

JpegJob& job_of(j_common_ptr codec) noexcept { return *static_cast<JpegJob*>(codec->client_data); }

[[noreturn]] void give_up(JpegJob& job, Fault fault) {
  job.fault = fault;
  job.message = job.errors.msg_code;
  job.errors.format_message(reinterpret_cast<j_common_ptr>(&job.codec), job.text);
  std::longjmp(job.escape, 1);
}

Fault fault_of_error(int message) noexcept {
  switch (message) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_COMPONENT_ID:
    case JERR_BAD_J_COLORSPACE:
    case JERR_BAD_PRECISION:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_NOTIMPL:
    case JERR_SOF_UNSUPPORTED: return Fault::unsupported;
    case JERR_INPUT_EMPTY:
    case JERR_INPUT_EOF: return Fault::truncated;
    default: return Fault::corrupt;
  }
}

void on_error(j_common_ptr codec) {
  JpegJob& job = job_of(codec);
  give_up(job, job.ran_out ? Fault::truncated : fault_of_error(job.errors.msg_code));
}

/// libjpeg calls what it can paper over a warning. Here it is the end, unless no pixel is concerned.
void on_message(j_common_ptr codec, int level) {
  if (level >= 0) {
    return;  // A trace.
  }
  JpegJob& job = job_of(codec);
  switch (job.errors.msg_code) {
    case JWRN_JFIF_MAJOR:      // A version number.
    case JWRN_NOT_SEQUENTIAL:  // Odd parameters in the header of a scan, which many encoders write and no decoder
                               // reads.
      return;
    case JWRN_EXTRANEOUS_DATA:
      if (job.codec.input_scan_number == 0) {
        return;  // Before the first scan it is junk between two headers; behind one it is data that was not understood.
      }
      break;
    case JWRN_JPEG_EOF:
      // The decoder reads ahead: what it has may still be enough. If not, the next warning is JWRN_HIT_MARKER.
      job.ran_out = true;
      return;
    case JWRN_HIT_MARKER: job.ran_out = job.ran_out || job.codec.unread_marker == JPEG_EOI; break;
    default: break;
  }
  give_up(job, job.ran_out ? Fault::truncated : Fault::corrupt);
}

void on_output(j_common_ptr /*codec*/) {}

void on_progress(j_common_ptr codec) {
  JpegJob& job = job_of(codec);
  if (job.codec.input_scan_number > job.max_scans) {
    job.errors.msg_code = JMSG_NOMESSAGE;
    give_up(job, Fault::too_large);
  }
}

/// Of inks the file has the paper that shows between them: so Adobe wrote them, and all others since.
void to_rgb(const unsigned char* inks, unsigned char* to, int width) {
  for (int x = 0; x < width; ++x, inks += 4, to += 3) {
    for (int ink = 0; ink < 3; ++ink) {
      to[ink] = static_cast<unsigned char>(light_through(255U - inks[ink], 255U - inks[3], 255));
    }
  }
}

void read_inks(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  while (codec.output_scanline < codec.output_height) {
    unsigned char* const to = job.pixels + codec.output_scanline * job.row_bytes;
    jpeg_read_scanlines(&codec, &job.inks, 1);
    to_rgb(job.inks, to, job.extent.width);
  }
}

void read_rows(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  constexpr unsigned most_rows = 16;
  while (codec.output_scanline < codec.output_height) {
    JSAMPROW rows[most_rows];
    const unsigned some = std::min(most_rows, codec.output_height - codec.output_scanline);
    for (unsigned i = 0; i < some; ++i) {
      rows[i] = job.pixels + (codec.output_scanline + i) * job.row_bytes;
    }
    jpeg_read_scanlines(&codec, rows, some);
  }
}

void read_image(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  jpeg_create_decompress(&codec);  // Clears the struct but for err and client_data.
  codec.progress = &job.progress;
  jpeg_mem_src(&codec, job.encoded, job.encoded_bytes);
  jpeg_read_header(&codec, TRUE);
  const bool as_expected = static_cast<int>(codec.image_height) == job.extent.height &&
                           static_cast<int>(codec.image_width) == job.extent.width &&
                           codec.num_components == job.components;
  if (!as_expected) {
    job.errors.msg_code = JERR_SOF_DUPLICATE;
    give_up(job, Fault::corrupt);
  }
  codec.out_color_space = job.components == 1 ? JCS_GRAYSCALE : (job.components == 4 ? JCS_CMYK : JCS_RGB);
  codec.dct_method = JDCT_ISLOW;
  codec.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&codec);
  for (int component = 0; component < codec.num_components; ++component) {
    // A component that no scan mentions has no table: libjpeg would paint it grey without a word.
    if (codec.comp_info[component].quant_table == nullptr) {
      job.errors.msg_code = JERR_EMPTY_IMAGE;
      give_up(job, Fault::truncated);
    }
  }
  if (job.inks != nullptr) {
    read_inks(job);
  } else {
    read_rows(job);
  }
  jpeg_finish_decompress(&codec);
}

/// True if the image was read; otherwise the job says why not.
bool run(JpegJob& job) {
  job.codec.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = on_error;
  job.errors.emit_message = on_message;
  job.errors.output_message = on_output;
  job.progress.progress_monitor = on_progress;
  job.codec.client_data = &job;
  if (setjmp(job.escape) != 0) {
    return false;
  }
  read_image(job);
  return true;
}

/// Rows of which every coefficient of the present scan was there.
int whole_rows(const jpeg_decompress_struct& codec, int height) noexcept {
  const unsigned rows = codec.input_iMCU_row * static_cast<unsigned>(codec.max_v_samp_factor) * DCTSIZE;
  return static_cast<int>(std::min(rows, static_cast<unsigned>(height)));
}

Failure truncated(const JpegJob& job, bool all_rows) {
  const jpeg_decompress_struct& codec = job.codec;
  const int height = job.extent.height;
  if (job.message == JERR_EMPTY_IMAGE) {
    return {Fault::truncated, "JPEG has no data for one of its colour components"};
  }
  if (all_rows) {
    return {Fault::truncated, fmt::format("JPEG has data for its {} rows, but no end marker", height)};
  }
  if (codec.input_scan_number > 1 || codec.progressive_mode != FALSE) {
    return {Fault::truncated, fmt::format("JPEG ends in scan {}, after {} of {} rows", codec.input_scan_number,
                                          whole_rows(codec, height), height)};
  }
  return {Fault::truncated, fmt::format("JPEG ends after {} of {} rows", whole_rows(codec, height), height)};
}

Failure why(const JpegJob& job) {
  switch (job.fault) {
    case Fault::truncated: return truncated(job, false);
    case Fault::too_large:
      return {Fault::too_large, fmt::format("JPEG has more than {} scans: a decompression bomb?", job.max_scans)};
    case Fault::unsupported:
      return {Fault::unsupported, fmt::format("JPEG of a kind that is not read by this version ({})", job.text)};
    default: break;
  }
  return {Fault::corrupt, fmt::format("JPEG is damaged after {} of {} rows ({})",
                                      whole_rows(job.codec, job.extent.height), job.extent.height, job.text)};
}

}  // namespace

std::optional<Failure> decode_jpeg(std::span<const std::byte> encoded, const ImageHeader& header, int max_scans,
                                   Image& into) {
  JpegJob job{};
  job.encoded = reinterpret_cast<const unsigned char*>(encoded.data());
  job.encoded_bytes = encoded.size();
  job.pixels = reinterpret_cast<unsigned char*>(into.bytes().data());
  job.row_bytes = into.view().row_bytes();
  job.extent = header.stored;
  job.components = header.cmyk ? 4 : header.channels;
  std::vector<unsigned char> inks(header.cmyk ? static_cast<std::size_t>(header.stored.width) * 4 : 0);
  job.inks = inks.empty() ? nullptr : inks.data();
  job.max_scans = max_scans;
  const bool done = run(job);
  std::optional<Failure> failure;
  if (done && job.ran_out) {
    failure = truncated(job, true);
  } else if (!done && job.message != JERR_OUT_OF_MEMORY) {
    failure = why(job);
  }
  jpeg_destroy_decompress(&job.codec);
  if (!done && !failure) {
    throw std::bad_alloc{};
  }
  return failure;
}

}  // namespace pantile::detail
