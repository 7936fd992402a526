#include <gif_lib.h>
#include <tiffio.h>
#include <webp/encode.h>

#include <algorithm>
#include <cstring>

#include "codec/samples.hpp"

namespace pantile::samples {
namespace {

void put16(Bytes& out, unsigned value) {
  out.push_back(static_cast<std::byte>(value));
  out.push_back(static_cast<std::byte>(value >> 8U));
}

void put32(Bytes& out, std::uint32_t value) {
  put16(out, value & 0xFFFFU);
  put16(out, value >> 16U);
}

/// A file in memory that libtiff writes.
struct Written {
  Bytes bytes;
  std::size_t at = 0;
};

tmsize_t on_read(thandle_t self, void* to, tmsize_t count) {
  Written& file = *static_cast<Written*>(self);
  const std::size_t some =
      std::min(static_cast<std::size_t>(count), file.bytes.size() - std::min(file.at, file.bytes.size()));
  std::memcpy(to, file.bytes.data() + file.at, some);
  file.at += some;
  return static_cast<tmsize_t>(some);
}

tmsize_t on_write(thandle_t self, void* from, tmsize_t count) {
  Written& file = *static_cast<Written*>(self);
  file.bytes.resize(std::max(file.bytes.size(), file.at + static_cast<std::size_t>(count)));
  std::memcpy(file.bytes.data() + file.at, from, static_cast<std::size_t>(count));
  file.at += static_cast<std::size_t>(count);
  return count;
}

toff_t on_seek(thandle_t self, toff_t to, int whence) {
  Written& file = *static_cast<Written*>(self);
  file.at =
      static_cast<std::size_t>(whence == SEEK_CUR ? file.at + to : (whence == SEEK_END ? file.bytes.size() + to : to));
  return file.at;
}

toff_t on_size(thandle_t self) { return static_cast<Written*>(self)->bytes.size(); }
int on_close(thandle_t /*self*/) { return 0; }

/// The samples of a tile or strip at `place`, of one plane or all; what is beyond the picture is 0.
Bytes tile_of(const Image& picture, Rect place, int plane) {
  const ImageView view = picture.view();
  const std::size_t sample_bytes = static_cast<std::size_t>(view.depth);
  const std::size_t bytes = plane < 0 ? view.pixel_bytes() : sample_bytes;
  Bytes tile(static_cast<std::size_t>(place.area()) * bytes);
  const Rect there = intersection(place, whole(view.extent));
  for (int y = there.y; y < there.bottom(); ++y) {
    for (int x = there.x; x < there.right(); ++x) {
      const std::byte* const from = view.row(y) + static_cast<std::size_t>(x) * view.pixel_bytes() +
                                    static_cast<std::size_t>(std::max(plane, 0)) * sample_bytes;
      std::memcpy(tile.data() + static_cast<std::size_t>((y - place.y) * place.width + x - place.x) * bytes, from,
                  bytes);
    }
  }
  return tile;
}

Bytes riff(const Bytes& chunks) {
  Bytes file = bytes_of("RIFF");
  put32(file, static_cast<std::uint32_t>(chunks.size() + 4));
  return joined({file, bytes_of("WEBP"), chunks});
}

}  // namespace

Bytes file_of(const Image& picture, const Tiff& facts) {
  Written file;
  TIFFSetWarningHandler(nullptr);  // An old number of a compression is on purpose.
  const std::string mode = std::string{"w"} + (facts.big_endian ? "b" : "l") + (facts.big_offsets ? "8" : "4");
  TIFF* const tiff =
      TIFFClientOpen("sample", mode.c_str(), &file, on_read, on_write, on_seek, on_close, on_size, nullptr, nullptr);
  const ImageView view = picture.view();
  const bool grey = view.channels <= 2;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, view.extent.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, view.extent.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8 * static_cast<int>(view.depth));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, view.channels);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, facts.compression);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, facts.photometric >= 0 ? facts.photometric : (grey ? 1 : 2));
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, facts.planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, facts.orientation);
  if (facts.photometric != PHOTOMETRIC_SEPARATED && (view.channels == 2 || view.channels == 4)) {
    const std::uint16_t extra = EXTRASAMPLE_UNASSALPHA;
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &extra);
  }
  if (facts.compression == COMPRESSION_JPEG && facts.photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  const Extent tile = facts.tile.empty() ? Extent{facts.rows_per_strip, view.extent.width} : facts.tile;
  if (facts.tile.empty()) {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, tile.height);
  } else {
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, tile.height);
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, tile.width);
  }
  std::uint32_t number = 0;
  for (int plane = facts.planes ? 0 : -1; plane < (facts.planes ? view.channels : 0); ++plane) {
    for (int y = 0; y < view.extent.height; y += tile.height) {
      for (int x = 0; x < view.extent.width; x += tile.width, ++number) {
        const int height = facts.tile.empty() ? std::min(tile.height, view.extent.height - y) : tile.height;
        Bytes data = tile_of(picture, {y, x, height, tile.width}, plane);
        if (facts.tile.empty()) {
          TIFFWriteEncodedStrip(tiff, number, data.data(), static_cast<tmsize_t>(data.size()));
        } else {
          TIFFWriteEncodedTile(tiff, number, data.data(), static_cast<tmsize_t>(data.size()));
        }
      }
    }
  }
  TIFFClose(tiff);
  return std::move(file.bytes);
}

Bytes webp_chunk(std::string_view name, std::span<const std::byte> payload) {
  Bytes chunk = bytes_of(name);
  put32(chunk, static_cast<std::uint32_t>(payload.size()));
  chunk.insert(chunk.end(), payload.begin(), payload.end());
  chunk.resize(chunk.size() + payload.size() % 2);
  return chunk;
}

Bytes file_of(const Image& picture, const Webp& facts) {
  const ImageView view = picture.view();
  const auto* const pixels = reinterpret_cast<const std::uint8_t*>(view.data);
  const auto [height, width] = view.extent;
  const int stride = static_cast<int>(view.row_bytes());
  std::uint8_t* encoded = nullptr;
  std::size_t bytes = 0;
  if (view.channels == 4) {
    bytes = facts.lossless ? WebPEncodeLosslessRGBA(pixels, width, height, stride, &encoded)
                           : WebPEncodeRGBA(pixels, width, height, stride, 60, &encoded);
  } else {
    bytes = facts.lossless ? WebPEncodeLosslessRGB(pixels, width, height, stride, &encoded)
                           : WebPEncodeRGB(pixels, width, height, stride, 60, &encoded);
  }
  const auto* const from = reinterpret_cast<const std::byte*>(encoded);
  Bytes file(from, from + bytes);
  WebPFree(encoded);
  if (facts.orientation == 0 && facts.frames == 0) {
    return file;
  }
  // The chunks of the picture, without a VP8X of the encoder's own.
  std::size_t at = 12;
  if (std::memcmp(file.data() + at, "VP8X", 4) == 0) {
    at += 18;
  }
  const Bytes picture_chunks(file.begin() + static_cast<std::ptrdiff_t>(at), file.end());
  Bytes canvas(4);
  canvas[0] = static_cast<std::byte>((view.channels == 4 ? 0x10U : 0U) | (facts.orientation > 0 ? 0x08U : 0U) |
                                     (facts.frames > 0 ? 0x02U : 0U));
  for (const int side : {width - 1, height - 1}) {
    put16(canvas, static_cast<unsigned>(side));
    canvas.push_back(std::byte{0});
  }
  Bytes chunks = webp_chunk("VP8X", canvas);
  if (facts.frames > 0) {
    chunks = joined({chunks, webp_chunk("ANIM", Bytes(6))});
  }
  for (int frame = 0; frame < facts.frames; ++frame) {
    Bytes place(6);
    for (const int side : {width - 1, height - 1}) {
      put16(place, static_cast<unsigned>(side));
      place.push_back(std::byte{0});
    }
    place.resize(16);
    place[12] = std::byte{40};  // Milliseconds.
    chunks = joined({chunks, webp_chunk("ANMF", joined({place, picture_chunks}))});
  }
  if (facts.frames == 0) {
    chunks = joined({chunks, picture_chunks});
  }
  if (facts.orientation > 0) {
    chunks = joined({chunks, webp_chunk("EXIF", exif(static_cast<unsigned>(facts.orientation), true))});
  }
  return riff(chunks);
}

Bytes file_of(const Gif& gif) {
  Bytes file = bytes_of("GIF89a");
  const auto on_gif_write = [](GifFileType* to, const GifByteType* from, int count) {
    Bytes& out = *static_cast<Bytes*>(to->UserData);
    const auto* const bytes = reinterpret_cast<const std::byte*>(from);
    out.insert(out.end(), bytes, bytes + count);
    return count;
  };
  file.clear();
  int error = 0;
  GifFileType* const out = EGifOpen(&file, on_gif_write, &error);
  ColorMapObject* const map = GifMakeMapObject(16, nullptr);
  for (int i = 0; i < 16; ++i) {
    map->Colors[i] = {static_cast<GifByteType>(i * 16), static_cast<GifByteType>(255 - i * 3),
                      static_cast<GifByteType>(i * i)};
  }
  EGifPutScreenDesc(out, gif.screen.width, gif.screen.height, 8, 0, map);
  if (gif.transparent >= 0) {
    GraphicsControlBlock control{DISPOSAL_UNSPECIFIED, false, 0, gif.transparent};
    GifByteType block[4];
    EGifGCBToExtension(&control, block);
    EGifPutExtension(out, GRAPHICS_EXT_FUNC_CODE, 4, block);
  }
  EGifPutImageDesc(out, gif.place.x, gif.place.y, gif.place.width, gif.place.height, gif.interlaced, nullptr);
  std::vector<GifPixelType> row(static_cast<std::size_t>(gif.place.width));
  const auto put_row = [&](int y) {
    for (int x = 0; x < gif.place.width; ++x) {
      row[static_cast<std::size_t>(x)] = static_cast<GifPixelType>(gif_colour(y, x));
    }
    EGifPutLine(out, row.data(), gif.place.width);
  };
  const std::vector<std::pair<int, int>> passes = gif.interlaced
                                                      ? std::vector<std::pair<int, int>>{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
                                                      : std::vector<std::pair<int, int>>{{0, 1}};
  for (const auto& [start, step] : passes) {
    for (int y = start; y < gif.place.height; y += step) {
      put_row(y);
    }
  }
  EGifCloseFile(out, &error);
  GifFreeMapObject(map);
  return file;
}

Bytes file_of(const Image& picture, const Bmp& facts) {
  const ImageView view = picture.view();
  const std::size_t row = (view.row_bytes() + 3) / 4 * 4;
  Bytes file = bytes_of("BM");
  put32(file, static_cast<std::uint32_t>(54 + row * static_cast<std::size_t>(view.extent.height)));
  put32(file, 0);
  put32(file, 54);
  put32(file, 40);
  put32(file, static_cast<std::uint32_t>(view.extent.width));
  put32(file, static_cast<std::uint32_t>(facts.top_down ? -view.extent.height : view.extent.height));
  put16(file, 1);
  put16(file, 24);
  file.resize(54);
  for (int y = 0; y < view.extent.height; ++y) {
    const std::byte* const from = view.row(facts.top_down ? y : view.extent.height - 1 - y);
    Bytes bgr(row);
    for (std::size_t i = 0; i < view.row_bytes(); ++i) {
      bgr[i] = from[i / 3 * 3 + 2 - i % 3];
    }
    file.insert(file.end(), bgr.begin(), bgr.end());
  }
  return file;
}

}  // namespace pantile::samples
