#pragma once
// Behind decode.hpp: a TIFF that is open in libtiff, over any reader of bytes.

#include <tiffio.h>

#include <cstdarg>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "base/handle.hpp"
#include "codec/byte_reader.hpp"

namespace pantile::detail {

/// libtiff's handle with its own messages: nothing is printed, and none is lost. Not movable: libtiff points into it.
class TiffFile {
 public:
  /// Opens the first directory. `most_bytes`: that libtiff may ask for at once.
  TiffFile(ByteReader& reader, std::uint64_t most_bytes);
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  /// Null if libtiff could not open it.
  [[nodiscard]] TIFF* get() const noexcept { return tiff_.get(); }
  /// From now on a warning is as bad as an error: libtiff warns where it made up pixels. What it said before was about
  /// tags that it does not know, or could not read: it is forgotten.
  void begin_pixels() noexcept {
    in_pixels_ = true;
    said_.clear();
  }
  /// True if nothing went wrong so far.
  [[nodiscard]] bool well() const noexcept { return said_.empty() && broken_ == nullptr; }
  /// What libtiff said first.
  [[nodiscard]] const std::string& said() const noexcept { return said_; }
  /// Throws what the reader threw, if it did.
  void rethrow() const;

 private:
  struct Close {
    using Raw = TIFF*;
    static Raw null() noexcept { return nullptr; }
    static void free(Raw raw) noexcept { TIFFClose(raw); }
  };
  void say(const char* format, va_list arguments) noexcept;
  static int on_error(TIFF* tiff, void* self, const char* module, const char* format, va_list arguments) noexcept;
  static int on_warning(TIFF* tiff, void* self, const char* module, const char* format, va_list arguments) noexcept;
  static tmsize_t on_read(thandle_t self, void* to, tmsize_t count) noexcept;
  static tmsize_t on_write(thandle_t self, void* from, tmsize_t count) noexcept;
  static toff_t on_seek(thandle_t self, toff_t to, int whence) noexcept;
  static toff_t on_size(thandle_t self) noexcept;
  static int on_close(thandle_t self) noexcept;
  static int on_map(thandle_t self, void** bytes, toff_t* count) noexcept;
  static void on_unmap(thandle_t self, void* bytes, toff_t count) noexcept;

  ByteReader& reader_;
  std::uint64_t at_ = 0;
  bool in_pixels_ = false;
  std::string said_;
  std::exception_ptr broken_;
  Handle<Close> tiff_;  // Last: closing it may still speak to the others.
};

}  // namespace pantile::detail
