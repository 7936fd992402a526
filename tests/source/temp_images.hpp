#pragma once
// Encoded images and archives of them, for tests.

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/temp_folder.hpp"
#include "base/wire.hpp"
#include "codec/encode.hpp"
#include "image/image.hpp"

namespace pantile::testing {

inline std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// A PNG file of one colour.
inline std::string png_of(Extent extent, std::uint8_t value = 7) {
  Image image{extent, 3, Depth::u8};
  std::fill(image.bytes().begin(), image.bytes().end(), static_cast<std::byte>(value));
  return text_of(encode_png(image.view(), 1));
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << text;
}

/// One member of a ustar archive, header and padded bytes.
inline std::string tar_member(const std::string& name, std::string_view data, char type = '0',
                              const std::string& link = {}) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  const auto octal = [](std::uint64_t value, int digits) {
    std::string text(static_cast<std::size_t>(digits), '0');
    for (int i = digits - 1; i >= 0; --i, value /= 8) {
      text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 8);
    }
    return text;
  };
  put(0, name);
  put(124, octal(data.size(), 11));
  header[156] = type;
  put(157, link);
  put(257, std::string{"ustar\0"
                       "00",
                       8});
  put(148, "        ");
  std::uint64_t sum = 0;
  for (const char c : header) {
    sum += static_cast<std::uint8_t>(c);
  }
  put(148, octal(sum, 6) + std::string{"\0 ", 2});
  std::string padded{data};
  padded.resize((data.size() + 511) / 512 * 512, '\0');
  return header + padded;
}

inline std::string tar_end() { return std::string(1024, '\0'); }

}  // namespace pantile::testing
