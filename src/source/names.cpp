#include "source/names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/endings.hpp"

namespace pantile::detail {

bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : (lead >= 0xE0 ? 3 : 2);
    const unsigned least = lead == 0xE0 ? 0xA0 : (lead == 0xF0 ? 0x90 : 0x80);
    const unsigned most = lead == 0xED ? 0x9F : (lead == 0xF4 ? 0x8F : 0xBF);
    if (lead < 0xC2 || lead > 0xF4 || byte(i + 1) < least || byte(i + 1) > most) {
      return false;
    }
    for (std::size_t k = 2; k < length; ++k) {
      if ((byte(i + k) & 0xC0U) != 0x80) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

std::optional<std::string> why_no_name(std::string_view path) {
  if (path.size() > longest_path) {
    return fmt::format("has {} bytes, and {} are the most that a path can have", path.size(), longest_path);
  }
  if (path.find('\0') != std::string_view::npos) {
    return "has a byte 0 in it, which no path can have";
  }
  return std::nullopt;
}

std::string ending_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  std::string ending{dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1)};
  for (char& c : ending) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return ending;
}

bool is_image_name(std::string_view path) {
  constexpr std::size_t longest = 8;  // Of the endings, with the dot: most names are decided without a copy.
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || path.size() - dot > longest) {
    return false;
  }
  return std::find(image_endings.begin(), image_endings.end(), ending_of(path)) != image_endings.end();
}

bool is_hidden(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if ((name.starts_with('.') && name != "." && name != "..") || name == "__MACOSX") {
      return true;
    }
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return false;
}

std::string member_name(std::string_view stored) {
  while (stored.starts_with("./")) {
    stored.remove_prefix(2);
  }
  std::string name;
  name.reserve(stored.size());
  for (const char c : stored) {
    if (c != '/' || name.empty() || name.back() != '/') {
      name += c;
    }
  }
  return name;
}

}  // namespace pantile::detail
