// An image file: what its header says, read from memory, in parts, and from a file that is cut short.

#include "codec/decode.hpp"
#include "codec/header.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace pantile;

/// As a member of an archive is read: never as one piece of memory.
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

void expect_sense(const ImageHeader& header, std::uint64_t file_bytes) {
  const bool turned = header.orientation >= 5;
  expect(header.format != ImageFormat::unknown, "a header has a format");
  expect(!header.stored.empty(), "an image has pixels");
  expect(header.oriented == (turned ? Extent{header.stored.width, header.stored.height} : header.stored),
         "the oriented extent is the stored one, turned");
  expect(header.orientation >= 1 && header.orientation <= 8, "an orientation is one of eight");
  expect(header.channels >= 1 && header.channels <= 4, "an image has 1 to 4 channels");
  expect(header.bits == 1 || header.bits == 2 || header.bits == 4 || header.bits == 8 || header.bits == 16,
         "a sample has 1, 2, 4, 8 or 16 bits");
  expect(header.tile.empty() || header.format == ImageFormat::tiff, "only TIFF has tiles");
  static_cast<void>(refusal(header, file_bytes, {}));
  static_cast<void>(refusal_of_whole(header, file_bytes, {}));
  static_cast<void>(decode_overhead_bytes(header));
  // The planner asks for parts of what is read by region: each lies in the stored image.
  const Rect seen = whole(header.oriented);
  expect(stored_rect(header, seen) == whole(header.stored), "all that is seen is all that is stored");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::bytes_of(data, size);
  const Result<ImageHeader> header = probe(bytes, size);
  InParts file{bytes};
  const Result<ImageHeader> in_parts = probe(file);
  expect(header.ok() == in_parts.ok() && (!header || header.value() == in_parts.value()),
         "a header is the same whichever way the file is read");
  if (header) {
    expect_sense(header.value(), size);
  } else {
    expect(header.failure().fault != Fault::none && !header.failure().detail.empty(), "a failure says why");
  }
  // Only the beginning of the file is there: the same header, or none.
  const Result<ImageHeader> cut = probe(bytes.first(size / 2), size);
  if (cut) {
    expect_sense(cut.value(), size);
  }
  return 0;
}
