#include "codec/tiff_file.hpp"

#include <cstdio>
#include <cstring>
#include <new>
#include <span>

namespace pantile::detail {
namespace {

struct FreeOptions {
  using Raw = TIFFOpenOptions*;
  static Raw null() noexcept { return nullptr; }
  static void free(Raw raw) noexcept { TIFFOpenOptionsFree(raw); }
};

}  // namespace

TiffFile::TiffFile(ByteReader& reader, std::uint64_t most_bytes) : reader_{reader} {
  const Handle<FreeOptions> options{TIFFOpenOptionsAlloc()};
  if (!options) {
    throw std::bad_alloc{};
  }
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most_bytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &TiffFile::on_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &TiffFile::on_warning, this);
  // c: strips stay as they are in the file; libtiff would cut up large ones. D, O: places of tiles are read as they are
  // needed; a large image has a megabyte of them.
  tiff_ = Handle<Close>{TIFFClientOpenExt("image", "rcDO", this, &TiffFile::on_read, &TiffFile::on_write,
                                          &TiffFile::on_seek, &TiffFile::on_close, &TiffFile::on_size,
                                          &TiffFile::on_map, &TiffFile::on_unmap, options.get())};
}

void TiffFile::rethrow() const {
  if (broken_ != nullptr) {
    std::rethrow_exception(broken_);
  }
}

void TiffFile::say(const char* format, va_list arguments) noexcept {
  char text[200];
  std::vsnprintf(text, sizeof text, format, arguments);
  try {
    said_ = said_.empty() ? text : said_;
  } catch (...) {
    broken_ = std::current_exception();
  }
}

int TiffFile::on_error(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                       va_list arguments) noexcept {
  static_cast<TiffFile*>(self)->say(format, arguments);
  return 1;
}

int TiffFile::on_warning(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                         va_list arguments) noexcept {
  // An old kind of LZW, read well all the same.
  const bool harmless = std::strncmp(format, "Old-style LZW", 13) == 0;
  if (static_cast<TiffFile*>(self)->in_pixels_ && !harmless) {
    static_cast<TiffFile*>(self)->say(format, arguments);
  }
  return 1;
}

tmsize_t TiffFile::on_read(thandle_t self, void* to, tmsize_t count) noexcept {
  TiffFile& file = *static_cast<TiffFile*>(self);
  try {
    const std::size_t some =
        file.reader_.read_at(file.at_, {static_cast<std::byte*>(to), static_cast<std::size_t>(count)});
    file.at_ += some;
    return static_cast<tmsize_t>(some);
  } catch (...) {
    file.broken_ = std::current_exception();
    return -1;
  }
}

tmsize_t TiffFile::on_write(thandle_t /*self*/, void* /*from*/, tmsize_t /*count*/) noexcept { return -1; }

toff_t TiffFile::on_seek(thandle_t self, toff_t to, int whence) noexcept {
  TiffFile& file = *static_cast<TiffFile*>(self);
  file.at_ = whence == SEEK_CUR ? file.at_ + to : (whence == SEEK_END ? file.reader_.size() + to : to);
  return file.at_;
}

toff_t TiffFile::on_size(thandle_t self) noexcept { return static_cast<TiffFile*>(self)->reader_.size(); }

int TiffFile::on_close(thandle_t /*self*/) noexcept { return 0; }

int TiffFile::on_map(thandle_t self, void** bytes, toff_t* count) noexcept {
  const auto mapped = static_cast<TiffFile*>(self)->reader_.in_memory();
  // libtiff maps files that it may not write to in the same way: it changes nothing.
  *bytes = const_cast<std::byte*>(mapped.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  *count = mapped.size();
  return mapped.empty() ? 0 : 1;
}

void TiffFile::on_unmap(thandle_t /*self*/, void* /*bytes*/, toff_t /*count*/) noexcept {}

}  // namespace pantile::detail
