// An image file is decoded: whole, row by row, in regions. Under limits that are those of a run, but smaller.

#include <cstdlib>
#include <optional>

#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "codec/row_reader.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace pantile;

constexpr DecodeLimits limits{.max_file_bytes = 1 << 20,
                              .max_pixels = 1 << 14,
                              .max_region_pixels = 1 << 14,
                              .max_decoded_bytes = 1 << 18,
                              .max_ratio = 1'000,
                              .ratio_free_pixels = 1 << 12,
                              .max_scans = 20};

class InParts final : public ByteReader {
 public:
  explicit InParts(std::span<const std::byte> bytes) noexcept : memory_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return memory_.size(); }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    return memory_.read_at(at, into);
  }

 private:
  MemoryReader memory_;
};

bool same_pixels(const ImageView& a, const ImageView& b) {
  return a.extent == b.extent && a.channels == b.channels && a.depth == b.depth &&
         std::memcmp(a.data, b.data, a.bytes()) == 0;
}

/// PNG loses nothing: what was decoded is an image like any other.
void expect_survives_png(const Image& image) {
  const Bytes png = encode_png(image.view(), 1);
  const Result<Image> again = decode(png);
  expect(again.ok() && same_pixels(again.value().view(), image.view()), "an image that was decoded survives PNG");
}

/// Row by row: the same pixels as at once, or a failure as at once.
void expect_same_rows(std::span<const std::byte> bytes, const ImageHeader& header, const Result<Image>& all) {
  InParts file{bytes};
  const auto reader = read_rows(file, header, limits);
  Image image{header.stored, header.channels, header.bits == 16 ? Depth::u16 : Depth::u8};
  const std::size_t row_bytes = image.view().row_bytes();
  std::optional<Failure> failure;
  for (int y = 0; y < header.stored.height && !failure; y += 3) {
    const int rows = std::min(3, header.stored.height - y);
    failure = reader->read({image.row(y), static_cast<std::size_t>(rows) * row_bytes});
  }
  expect(failure.has_value() == !all.ok(), "an image is bad whichever way it is read");
  expect(failure || same_pixels(image.view(), all.value().view()), "rows are those of the whole image");
}

bool is_part(const ImageView& part, const ImageView& whole, Rect where) {
  for (int y = 0; y < where.height; ++y) {
    const std::byte* const row = whole.row(where.y + y) + static_cast<std::size_t>(where.x) * whole.pixel_bytes();
    if (std::memcmp(part.row(y), row, part.row_bytes()) != 0) {
      return false;
    }
  }
  return true;
}

/// In four quarters: parts of the whole image, where it can be decoded; where it cannot, one of them is bad, too.
void expect_same_regions(std::span<const std::byte> bytes, const ImageHeader& header, const Result<Image>& all) {
  const int middle_y = header.stored.height / 2;
  const int middle_x = header.stored.width / 2;
  bool bad = false;
  for (const Rect part : {Rect{0, 0, middle_y, middle_x}, Rect{0, middle_x, middle_y, header.stored.width - middle_x},
                          Rect{middle_y, 0, header.stored.height - middle_y, middle_x},
                          Rect{middle_y, middle_x, header.stored.height - middle_y, header.stored.width - middle_x}}) {
    if (part.empty()) {
      continue;
    }
    InParts file{bytes};
    const Result<Image> region = decode_region(file, header, part, limits);
    bad = bad || !region;
    if (region && all.ok() && header.orientation == 1) {
      expect(is_part(region.value().view(), all.value().view(), part), "a region is a part of the whole image");
    }
  }
  expect(bad == !all.ok(), "an image is bad whichever way it is read");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  ::setenv("PANTILE_IMGCODECS_LIB", PANTILE_FUZZ_IMGCODECS, 0);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::bytes_of(data, size);
  const Result<Image> image = decode(bytes, limits);
  const Result<ImageHeader> header = probe(bytes, size);
  if (image) {
    const Image& decoded = image.value();
    expect(header.ok(), "what was decoded has a header");
    expect(decoded.extent() == header.value().oriented && decoded.channels() == header.value().channels &&
               (decoded.depth() == Depth::u16) == (header.value().bits == 16),
           "an image is what its header says");
    expect_survives_png(decoded);
  }
  if (!header || refusal_of_whole(header.value(), size, limits)) {
    expect(!image, "what is refused is not decoded");
    return 0;
  }
  if (reads_rows(header.value())) {
    expect_same_rows(bytes, header.value(), image);
  }
  if (reads_regions(header.value())) {
    expect_same_regions(bytes, header.value(), image);
  }
  return 0;
}
