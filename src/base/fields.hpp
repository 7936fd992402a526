#pragma once
// One list of fields per record serves both directions, so that what is written and what is read cannot drift apart:
//
//     struct Hello { std::uint32_t version; std::string host; };
//     template <class Archive> void fields(Archive& archive, Hello& hello) { archive(hello.version, hello.host); }
//     Bytes bytes = encode(hello);   Hello back = decode<Hello>(bytes);

#include <optional>
#include <string>
#include <vector>

#include "base/extent.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/records.hpp"
#include "base/wire.hpp"

namespace pantile {

template <class Archive>
void fields(Archive& archive, Extent& extent) {
  archive(extent.height, extent.width);
}
template <class Archive>
void fields(Archive& archive, Rect& rect) {
  archive(rect.y, rect.x, rect.height, rect.width);
}
template <class Archive>
void fields(Archive& archive, Hash128& hash) {
  archive(hash.high, hash.low);
}
template <class Archive>
void fields(Archive& archive, BlockKey& key) {
  archive(key.item, key.output, key.block);
}
template <class Archive>
void fields(Archive& archive, BlockRow& row) {
  archive(row.key, row.attempt, row.item_extent, row.rect, row.channels, row.dtype, row.digest, row.input_xxh3,
          row.tile, row.device_class, row.milliseconds, row.peak_bytes);
}

class FieldWriter {
 public:
  template <class... Values>
  void operator()(Values&... values) {
    (put(values), ...);
  }
  [[nodiscard]] Bytes bytes() && noexcept { return std::move(writer_).bytes(); }

 private:
  template <WireScalar T>
  void put(T& value) {
    writer_.put(value);
  }
  void put(std::string& text) { writer_.put(text); }
  template <class T>
  void put(std::vector<T>& values) {
    writer_.put(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) {
      put(value);
    }
  }
  template <class T>
  void put(std::optional<T>& value) {
    writer_.put(value.has_value());
    if (value) {
      put(*value);
    }
  }
  template <class T>
  void put(T& record) {
    fields(*this, record);
  }

  Writer writer_;
};

class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> bytes) noexcept : reader_{bytes} {}
  template <class... Values>
  void operator()(Values&... values) {
    (take(values), ...);
  }
  void finish() const { reader_.finish(); }

 private:
  template <WireScalar T>
  void take(T& value) {
    value = reader_.get<T>();
  }
  void take(std::string& text) { text = reader_.text(); }
  template <class T>
  void take(std::vector<T>& values) {
    const auto count = reader_.get<std::uint32_t>();
    // Every value takes a byte at least: a torn count cannot ask for all memory.
    if (count > reader_.left()) {
      throw WireError{"a record ends too early: a list of " + std::to_string(count) + " values in " +
                      std::to_string(reader_.left()) + " bytes"};
    }
    // One after the other: values may be far larger than the bytes that were said to hold so many.
    values.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      take(values.emplace_back());
    }
  }
  template <class T>
  void take(std::optional<T>& value) {
    value.reset();
    if (reader_.get<bool>()) {
      take(value.emplace());
    }
  }
  template <class T>
  void take(T& record) {
    fields(*this, record);
  }

  Reader reader_;
};

template <class T>
[[nodiscard]] Bytes encode(T record) {
  FieldWriter writer;
  writer(record);
  return std::move(writer).bytes();
}

template <class T>
[[nodiscard]] T decode(std::span<const std::byte> bytes) {
  T record{};
  FieldReader reader{bytes};
  reader(record);
  reader.finish();
  return record;
}

}  // namespace pantile
