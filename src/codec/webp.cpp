#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <new>

#include "base/handle.hpp"
#include "codec/decoders.hpp"

namespace pantile::detail {
namespace {

const std::uint8_t* data_of(std::span<const std::byte> encoded) noexcept {
  return reinterpret_cast<const std::uint8_t*>(encoded.data());
}

Failure why(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return {Fault::truncated, "WebP ends before its picture does"};
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return {Fault::unsupported, "WebP of a kind that is not read by this version. Convert it to PNG"};
    default: return {Fault::corrupt, "WebP has damaged pixel data"};
  }
}

struct FreeAnimation {
  using Raw = WebPAnimDecoder*;
  static Raw null() noexcept { return nullptr; }
  static void free(Raw raw) noexcept { WebPAnimDecoderDelete(raw); }
};

/// The first picture of an animation, on its canvas; what it leaves free is transparent.
std::optional<Failure> decode_first_frame(std::span<const std::byte> encoded, Image& into) {
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0) {
    throw std::bad_alloc{};
  }
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  const WebPData data{data_of(encoded), encoded.size()};
  const Handle<FreeAnimation> animation{WebPAnimDecoderNew(&data, &options)};
  std::uint8_t* canvas = nullptr;
  int timestamp = 0;
  if (!animation || WebPAnimDecoderGetNext(animation.get(), &canvas, &timestamp) == 0) {
    return Failure{Fault::corrupt, "WebP has a first picture that is damaged or incomplete"};
  }
  const auto pixels = static_cast<std::size_t>(into.extent().area());
  const auto channels = static_cast<std::size_t>(into.channels());
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    std::memcpy(into.bytes().data() + pixel * channels, canvas + pixel * 4, channels);
  }
  return {};
}

}  // namespace

std::optional<Failure> decode_webp(std::span<const std::byte> encoded, const ImageHeader& header, Image& into) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    return Failure{Fault::unsupported, "WebP needs another version of libwebp"};
  }
  const VP8StatusCode seen = WebPGetFeatures(data_of(encoded), encoded.size(), &config.input);
  if (seen != VP8_STATUS_OK) {
    return why(seen);
  }
  const bool as_expected = config.input.width == header.stored.width && config.input.height == header.stored.height &&
                           (config.input.has_animation != 0) == header.animated;
  if (!as_expected) {
    return Failure{Fault::corrupt, "WebP has chunks that contradict each other"};
  }
  if (header.animated) {
    return decode_first_frame(encoded, into);
  }
  config.output.colorspace = header.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = reinterpret_cast<std::uint8_t*>(into.bytes().data());
  config.output.u.RGBA.stride = static_cast<int>(into.view().row_bytes());
  config.output.u.RGBA.size = into.bytes().size();
  const VP8StatusCode status = WebPDecode(data_of(encoded), encoded.size(), &config);
  if (status == VP8_STATUS_OUT_OF_MEMORY) {
    throw std::bad_alloc{};
  }
  return status == VP8_STATUS_OK ? std::nullopt : std::optional{why(status)};
}

}  // namespace pantile::detail
