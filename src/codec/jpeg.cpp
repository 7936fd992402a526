#include <fmt/format.h>

// jpeglib.h needs size_t and FILE before it.
#include <csetjmp>
#include <cstdio>
#include <memory>
#include <new>
#include <span>

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "codec/byte_stream.hpp"
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
  jpeg_source_mgr source{};
  ByteStream* stream{};
  bool has_begun{};     ///< a step was done, or tried
  bool has_bytes{};     ///< the file is not empty
  unsigned char* to{};  ///< where the next rows go
  unsigned rows_end{};  ///< the row behind them
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

void on_start_of_source(j_decompress_ptr /*codec*/) {}
void on_end_of_source(j_decompress_ptr /*codec*/) {}

/// As libjpeg's own sources do it: behind the end of the file there is an end marker, and a warning.
boolean on_fill(j_decompress_ptr codec) {
  static constexpr JOCTET end_marker[] = {0xFF, JPEG_EOI};
  JpegJob& job = job_of(reinterpret_cast<j_common_ptr>(codec));
  const std::span<const std::byte> bytes = job.stream->next();
  if (!bytes.empty()) {
    job.has_bytes = true;
    job.source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    job.source.bytes_in_buffer = bytes.size();
    return TRUE;
  }
  if (!job.has_bytes) {
    ERREXIT(codec, JERR_INPUT_EMPTY);
  }
  WARNMS(codec, JWRN_JPEG_EOF);
  job.source.next_input_byte = end_marker;
  job.source.bytes_in_buffer = sizeof end_marker;
  return TRUE;
}

void on_skip(j_decompress_ptr codec, long count) {
  jpeg_source_mgr& source = *codec->src;
  auto left = static_cast<std::size_t>(std::max(0L, count));
  while (left > source.bytes_in_buffer) {
    left -= source.bytes_in_buffer;
    on_fill(codec);
  }
  source.next_input_byte += left;
  source.bytes_in_buffer -= left;
}

void read_inks(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  for (; codec.output_scanline < job.rows_end; job.to += job.row_bytes) {
    jpeg_read_scanlines(&codec, &job.inks, 1);
    to_rgb(job.inks, job.to, job.extent.width);
  }
}

void read_rows(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  constexpr unsigned most_rows = 16;
  while (codec.output_scanline < job.rows_end) {
    JSAMPROW rows[most_rows];
    const unsigned some = std::min(most_rows, job.rows_end - codec.output_scanline);
    for (unsigned i = 0; i < some; ++i) {
      rows[i] = job.to + i * job.row_bytes;
    }
    job.to += jpeg_read_scanlines(&codec, rows, some) * job.row_bytes;
  }
}

void begin(JpegJob& job) {
  jpeg_decompress_struct& codec = job.codec;
  jpeg_create_decompress(&codec);  // Clears the struct but for err and client_data.
  codec.progress = &job.progress;
  job.source.init_source = on_start_of_source;
  job.source.fill_input_buffer = on_fill;
  job.source.skip_input_data = on_skip;
  job.source.resync_to_restart = jpeg_resync_to_restart;
  job.source.term_source = on_end_of_source;
  codec.src = &job.source;
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
}

void read_some(JpegJob& job) {
  if (job.inks != nullptr) {
    read_inks(job);
  } else {
    read_rows(job);
  }
  if (job.codec.output_scanline == job.codec.output_height) {
    jpeg_finish_decompress(&job.codec);
  }
}

/// True if the step was done; otherwise the job says why not.
bool run(JpegJob& job, void (*step)(JpegJob&)) {
  if (setjmp(job.escape) != 0) {
    return false;
  }
  step(job);
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

class JpegRows final : public RowReader {
 public:
  JpegRows(ByteReader& file, const ImageHeader& header, int max_scans)
      : stream_{file}, inks_(header.cmyk ? static_cast<std::size_t>(header.stored.width) * 4 : 0) {
    job_.stream = &stream_;
    job_.row_bytes = decoded_bytes(header) / static_cast<std::size_t>(header.stored.height);
    job_.extent = header.stored;
    job_.components = header.cmyk ? 4 : header.channels;
    job_.inks = inks_.empty() ? nullptr : inks_.data();
    job_.max_scans = max_scans;
    job_.codec.err = jpeg_std_error(&job_.errors);
    job_.errors.error_exit = on_error;
    job_.errors.emit_message = on_message;
    job_.errors.output_message = on_output;
    job_.progress.progress_monitor = on_progress;
    job_.codec.client_data = &job_;
  }
  JpegRows(const JpegRows&) = delete;
  JpegRows& operator=(const JpegRows&) = delete;
  ~JpegRows() override { jpeg_destroy_decompress(&job_.codec); }

  std::optional<Failure> read(std::span<std::byte> rows) override {
    const auto count = static_cast<int>(rows.size() / job_.row_bytes);
    expect(rows.size() % job_.row_bytes == 0 && rows_ + count <= job_.extent.height, "rows of the image");
    rows_ += count;
    job_.to = reinterpret_cast<unsigned char*>(rows.data());
    job_.rows_end = static_cast<unsigned>(rows_);
    const bool done = (std::exchange(job_.has_begun, true) || run(job_, begin)) && run(job_, read_some);
    stream_.rethrow();
    if (!done && job_.message == JERR_OUT_OF_MEMORY) {
      throw std::bad_alloc{};
    }
    if (!done) {
      return why(job_);
    }
    return job_.ran_out && rows_ == job_.extent.height ? std::optional{truncated(job_, true)} : std::nullopt;
  }

 private:
  ByteStream stream_;
  std::vector<unsigned char> inks_;
  JpegJob job_{};
  int rows_ = 0;  ///< that were asked for
};

}  // namespace

std::unique_ptr<RowReader> jpeg_rows(ByteReader& file, const ImageHeader& header, int max_scans) {
  return std::make_unique<JpegRows>(file, header, max_scans);
}

}  // namespace pantile::detail
