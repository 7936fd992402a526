#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <vector>

#include "base/handle.hpp"
#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

struct CloseGif {
  using Raw = GifFileType*;
  static Raw null() noexcept { return nullptr; }
  static void free(Raw raw) noexcept {
    int ignored = 0;
    DGifCloseFile(raw, &ignored);
  }
};
using Gif = Handle<CloseGif>;

/// What giflib reads from.
struct Source {
  std::span<const std::byte> rest;
};

int on_read(GifFileType* gif, GifByteType* to, int count) noexcept {
  Source& source = *static_cast<Source*>(gif->UserData);
  const std::size_t some = std::min(source.rest.size(), static_cast<std::size_t>(count));
  std::memcpy(to, source.rest.data(), some);
  source.rest = source.rest.subspan(some);
  return static_cast<int>(some);
}

Failure why(int error, int row, int height) {
  switch (error) {
    case D_GIF_ERR_NOT_ENOUGH_MEM: throw std::bad_alloc{};
    case D_GIF_ERR_READ_FAILED:
    case D_GIF_ERR_EOF_TOO_SOON:
      return {Fault::truncated, fmt::format("GIF ends after {} of {} rows of its first picture", row, height)};
    default: break;
  }
  const char* const text = GifErrorString(error);
  return {Fault::corrupt, fmt::format("GIF is damaged after {} of {} rows of its first picture ({})", row, height,
                                      text != nullptr ? text : "unknown error")};
}

/// What a frame needs of the extension before it: the number of the transparent colour, or −1.
int transparent_in(const GifByteType* block) noexcept {
  GraphicsControlBlock control{};
  return DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK ? control.TransparentColor : NO_TRANSPARENT_COLOR;
}

/// Moves on to the first picture; its transparent colour, or −1.
Result<int> find_picture(GifFileType& gif) {
  const auto failed = [&] { return why(gif.Error, 0, gif.SHeight); };
  int transparent = NO_TRANSPARENT_COLOR;
  while (true) {
    GifRecordType kind{};
    if (DGifGetRecordType(&gif, &kind) == GIF_ERROR) {
      return failed();
    }
    if (kind == IMAGE_DESC_RECORD_TYPE) {
      return DGifGetImageDesc(&gif) == GIF_ERROR ? Result<int>{failed()} : Result<int>{transparent};
    }
    if (kind != EXTENSION_RECORD_TYPE) {
      return Failure{Fault::corrupt, "GIF has no picture in it"};
    }
    int code = 0;
    GifByteType* block = nullptr;
    for (bool ok = DGifGetExtension(&gif, &code, &block) != GIF_ERROR;;
         ok = DGifGetExtensionNext(&gif, &block) != GIF_ERROR) {
      if (!ok) {
        return failed();
      }
      if (block == nullptr) {
        break;
      }
      if (code == GRAPHICS_EXT_FUNC_CODE) {
        transparent = transparent_in(block);
      }
    }
  }
}

/// Colours by number, as they lie in the image.
class Colours {
 public:
  Colours(const ColorMapObject& map, int transparent, int channels) noexcept
      : count_{map.ColorCount}, channels_{static_cast<std::size_t>(channels)} {
    for (int i = 0; i < std::min(count_, 256); ++i) {
      const GifColorType colour = map.Colors[i];
      colours_[static_cast<std::size_t>(i)] = {colour.Red, colour.Green, colour.Blue,
                                               static_cast<std::uint8_t>(i == transparent ? 0 : 255)};
    }
  }
  [[nodiscard]] bool has(int number) const noexcept { return number < count_; }
  void put(int number, std::byte* to) const noexcept {
    std::memcpy(to, colours_[static_cast<std::size_t>(number)].data(), channels_);
  }

 private:
  int count_;
  std::size_t channels_;
  std::array<std::array<std::uint8_t, 4>, 256> colours_{};
};

/// The row of the picture that comes `nth` in the file.
int row_of(int nth, int height, bool interlaced) noexcept {
  if (!interlaced) {
    return nth;
  }
  constexpr int starts[] = {0, 4, 2, 1};
  constexpr int steps[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass) {
    const int rows = (height - starts[pass] + steps[pass] - 1) / steps[pass];
    if (nth < rows) {
      return starts[pass] + nth * steps[pass];
    }
    nth -= std::max(rows, 0);
  }
  return 0;
}

/// Pixels that the picture leaves free: transparent if it has such a colour, or else the first colour.
void paint_background(const Colours& colours, int transparent, Image& into) {
  const std::size_t pixel_bytes = into.view().pixel_bytes();
  for (std::byte* at = into.bytes().data(); at != into.bytes().data() + into.bytes().size(); at += pixel_bytes) {
    colours.put(std::max(transparent, 0), at);
  }
}

}  // namespace

std::optional<Failure> decode_gif(std::span<const std::byte> encoded, Image& into) {
  Source source{encoded};
  int error = 0;
  const Gif gif{DGifOpen(&source, on_read, &error)};
  if (!gif) {
    return why(error, 0, into.extent().height);
  }
  const Result<int> transparent = find_picture(*gif.get());
  if (!transparent) {
    return transparent.failure();
  }
  const GifImageDesc& place = gif.get()->Image;
  const ColorMapObject* const map = place.ColorMap != nullptr ? place.ColorMap : gif.get()->SColorMap;
  const bool inside =
      place.Left + place.Width <= into.extent().width && place.Top + place.Height <= into.extent().height;
  if (map == nullptr || !inside || (transparent.value() >= 0) != (into.channels() == 4)) {
    return Failure{Fault::corrupt, "GIF has parts that contradict each other"};
  }
  const Colours colours{*map, transparent.value(), into.channels()};
  if (place.Width != into.extent().width || place.Height != into.extent().height) {
    paint_background(colours, transparent.value(), into);
  }
  std::vector<GifPixelType> line(static_cast<std::size_t>(place.Width));
  for (int nth = 0; nth < place.Height; ++nth) {
    if (DGifGetLine(gif.get(), line.data(), place.Width) == GIF_ERROR) {
      return why(gif.get()->Error, nth, place.Height);
    }
    std::byte* to = into.row(place.Top + row_of(nth, place.Height, place.Interlace)) +
                    static_cast<std::size_t>(place.Left) * into.view().pixel_bytes();
    for (const GifPixelType number : line) {
      if (!colours.has(number)) {
        return Failure{Fault::corrupt,
                       fmt::format("GIF is damaged after {} of {} rows of its first picture (a pixel has "
                                   "colour {} of {})",
                                   nth, place.Height, number, map->ColorCount)};
      }
      colours.put(number, to);
      to += into.view().pixel_bytes();
    }
  }
  return {};
}

}  // namespace pantile::detail
