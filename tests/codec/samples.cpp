#include "codec/samples.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <jpeglib.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/error.hpp"

namespace pantile::samples {
namespace {

/// The program under test has its module beside it; these tests lie elsewhere.
const bool module_is_named = ::setenv("PANTILE_IMGCODECS_LIB", PANTILE_IMGCODECS_DEFAULT, 0) == 0;

constexpr std::string_view png_signature{"\x89PNG\r\n\x1a\n", 8};

void put_be32(Bytes& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    to.push_back(static_cast<std::byte>(value >> static_cast<unsigned>(shift)));
  }
}

/// Appends one row of samples, packed into bytes, behind filter type 0.
void put_row(Bytes& to, const Png& png, int channels, int y, int first_x, int step_x) {
  to.push_back(std::byte{0});
  unsigned bits_free = 0;
  for (int x = first_x; x < png.extent.width; x += step_x) {
    for (int channel = 0; channel < channels; ++channel) {
      const std::uint32_t value = png.sample(y, x, channel) & ((1U << static_cast<unsigned>(png.bits)) - 1);
      if (png.bits == 16) {
        to.push_back(static_cast<std::byte>(value >> 8U));
        to.push_back(static_cast<std::byte>(value));
        continue;
      }
      if (bits_free == 0) {
        to.push_back(std::byte{0});
        bits_free = 8;
      }
      bits_free -= static_cast<unsigned>(png.bits);
      to.back() |= static_cast<std::byte>(value << bits_free);
    }
  }
}

Bytes filtered_rows(const Png& png) {
  constexpr std::array<int, 7> channels_of_colour{1, 0, 3, 1, 2, 0, 4};
  const int channels = channels_of_colour.at(static_cast<std::size_t>(png.colour));
  struct Pass {
    int y, x, step_y, step_x;
  };
  constexpr std::array<Pass, 7> adam7{
      {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4}, {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}}};
  constexpr std::array<Pass, 1> straight{{{0, 0, 1, 1}}};
  Bytes rows;
  for (const Pass& pass : png.interlaced ? std::span<const Pass>{adam7} : std::span<const Pass>{straight}) {
    for (int y = pass.y; y < png.extent.height && pass.x < png.extent.width; y += pass.step_y) {
      put_row(rows, png, channels, y, pass.x, pass.step_x);
    }
  }
  return rows;
}

Bytes ihdr(const Png& png) {
  Bytes header;
  put_be32(header, static_cast<std::uint32_t>(png.extent.width));
  put_be32(header, static_cast<std::uint32_t>(png.extent.height));
  for (const int value : {png.bits, png.colour, 0, 0, png.interlaced ? 1 : 0}) {
    header.push_back(static_cast<std::byte>(value));
  }
  return header;
}

}  // namespace

Image picture(Extent extent, int channels, Depth depth, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  Image image{extent, channels, depth};
  const std::size_t row_bytes = image.view().row_bytes();
  for (int y = 0; y < extent.height; ++y) {
    for (std::size_t i = 0; i < row_bytes; ++i) {
      image.row(y)[i] = static_cast<std::byte>(static_cast<unsigned>(y) * 3 + i + random() % 32);
    }
  }
  return image;
}

bool same_pixels(const Image& a, const Image& b) {
  const ImageView x = a.view();
  const ImageView y = b.view();
  return x.extent == y.extent && x.channels == y.channels && x.depth == y.depth &&
         std::memcmp(x.data, y.data, x.bytes()) == 0;
}

Bytes png_chunk(std::string_view name, std::span<const std::byte> payload) {
  Bytes chunk;
  put_be32(chunk, static_cast<std::uint32_t>(payload.size()));
  const Bytes body = joined({bytes_of(name), payload});
  chunk.insert(chunk.end(), body.begin(), body.end());
  put_be32(chunk, static_cast<std::uint32_t>(
                      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
  return chunk;
}

Bytes deflated(std::span<const std::byte> bytes) {
  uLongf size = ::compressBound(bytes.size());
  Bytes out(size);
  const int done = ::compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 9);
  expect(done == Z_OK, "zlib compresses");
  out.resize(size);
  return out;
}

Bytes file_of(const Png& png) {
  Bytes file = joined({bytes_of(png_signature), png_chunk("IHDR", ihdr(png))});
  const auto add = [&](const Bytes& chunk) { file.insert(file.end(), chunk.begin(), chunk.end()); };
  for (const Bytes& chunk : png.chunks) {
    add(chunk);
  }
  const Bytes rows = deflated(filtered_rows(png));
  for (std::size_t at = 0; at < rows.size(); at += png.idat_bytes) {
    add(png_chunk("IDAT", std::span{rows}.subspan(at, std::min(png.idat_bytes, rows.size() - at))));
  }
  add(png_chunk("IEND", {}));
  return file;
}

Bytes with_chunk_before(std::span<const std::byte> png, std::string_view name, std::span<const std::byte> inserted) {
  const std::string_view text{reinterpret_cast<const char*>(png.data()), png.size()};
  const std::size_t at = text.find(name) - 4;
  return joined({png.first(at), inserted, png.subspan(at)});
}

Bytes file_of(const Image& picture, const Jpeg& jpeg) {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &buffer, &size);
  const ImageView view = picture.view();
  codec.image_height = static_cast<JDIMENSION>(view.extent.height);
  codec.image_width = static_cast<JDIMENSION>(view.extent.width);
  codec.input_components = view.channels;
  codec.in_color_space = jpeg.cmyk ? JCS_CMYK : (view.channels == 1 ? JCS_GRAYSCALE : JCS_RGB);
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, jpeg.quality, TRUE);
  codec.restart_in_rows = jpeg.restart_rows;
  if (jpeg.progressive) {
    jpeg_simple_progression(&codec);
  }
  const std::array<jpeg_scan_info, 3> scans{
      {{1, {0, 0, 0, 0}, 0, 63, 0, 0}, {1, {1, 0, 0, 0}, 0, 63, 0, 0}, {1, {2, 0, 0, 0}, 0, 63, 0, 0}}};
  if (jpeg.one_scan_per_component) {
    codec.scan_info = scans.data();
    codec.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&codec, TRUE);
  for (int y = 0; y < view.extent.height; ++y) {
    std::vector<unsigned char> row(view.row_bytes());
    std::memcpy(row.data(), view.row(y), row.size());
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&codec, rows, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  const auto* const bytes = reinterpret_cast<const std::byte*>(buffer);
  Bytes file{bytes, bytes + size};
  std::free(buffer);
  return file;
}

Bytes with_segment(std::span<const std::byte> jpeg, std::span<const std::byte> segment) {
  return joined({jpeg.first(2), segment, jpeg.subspan(2)});
}

std::size_t find_marker(std::span<const std::byte> jpeg, unsigned code, int nth) {
  for (std::size_t at = 0; at + 1 < jpeg.size(); ++at) {
    if (jpeg[at] == std::byte{0xFF} && jpeg[at + 1] == static_cast<std::byte>(code) && nth-- == 0) {
      return at;
    }
  }
  return jpeg.size();
}

Bytes exif(unsigned orientation, bool little_endian) {
  Bytes tiff = bytes_of(little_endian ? "II" : "MM");
  const auto put = [&](std::uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      tiff.push_back(static_cast<std::byte>(value >> 8U * (little_endian ? i : bytes - 1 - i)));
    }
  };
  put(42, 2);
  put(8, 4);       // The directory follows.
  put(1, 2);       // One entry:
  put(0x0112, 2);  // orientation,
  put(3, 2);       // a short,
  put(1, 4);       // one of them.
  put(orientation, 2);
  put(0, 2);
  put(0, 4);
  return tiff;
}

Bytes exif_segment(unsigned orientation, bool little_endian) {
  const Bytes body = joined({bytes_of({"Exif\0\0", 6}), exif(orientation, little_endian)});
  const auto length = static_cast<unsigned>(body.size() + 2);
  const Bytes intro{std::byte{0xFF}, std::byte{0xE1}, static_cast<std::byte>(length >> 8U),
                    static_cast<std::byte>(length)};
  return joined({intro, body});
}

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(std::string{hex.substr(at, 2)}, nullptr, 16)));
  }
  return bytes;
}

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

Bytes joined(std::initializer_list<std::span<const std::byte>> parts) {
  Bytes all;
  for (const auto part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace pantile::samples
