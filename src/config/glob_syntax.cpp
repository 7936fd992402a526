#include "config/glob_syntax.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace pantile {
namespace {

constexpr std::size_t max_alternatives = 1024;

using Mistake = std::optional<std::string>;

/// The parts of the outermost braces that begin at pattern[open], and where they end; nothing if they do not.
struct Braces {
  std::vector<std::string_view> parts;
  std::size_t end = 0;
};

std::optional<Braces> braces_at(std::string_view pattern, std::size_t open) {
  Braces braces;
  int depth = 0;
  std::size_t part = open + 1;
  for (std::size_t i = open; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '{') {
      ++depth;
    } else if (pattern[i] == ',' && depth == 1) {
      braces.parts.push_back(pattern.substr(part, i - part));
      part = i + 1;
    } else if (pattern[i] == '}' && --depth == 0) {
      braces.parts.push_back(pattern.substr(part, i - part));
      braces.end = i + 1;
      return braces;
    }
  }
  return std::nullopt;
}

/// Replaces the first braces by each of their parts, again and again until none are left.
Mistake expand(const std::string& pattern, std::vector<std::string>& into) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      const auto end = end_of_glob_set(pattern, i);
      if (!end) {
        return "a '[' is not closed";
      }
      i = *end - 1;
    } else if (pattern[i] == '{') {
      const auto braces = braces_at(pattern, i);
      if (!braces) {
        return "a '{' is not closed";
      }
      for (const std::string_view part : braces->parts) {
        Mistake mistake = expand(pattern.substr(0, i) + std::string{part} + pattern.substr(braces->end), into);
        if (mistake) {
          return mistake;
        }
      }
      return std::nullopt;
    }
  }
  if (into.size() == max_alternatives) {
    return fmt::format("its braces stand for more than {} patterns", max_alternatives);
  }
  into.push_back(pattern);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> glob_mistake(std::string_view pattern) {
  if (pattern.size() > longest_glob) {
    return fmt::format("it is longer than {} bytes", longest_glob);
  }
  std::vector<std::string> expanded;
  const Mistake mistake = expand(std::string{pattern}, expanded);
  return mistake ? std::optional{*mistake + ". A backslash before a character takes it as it is."} : std::nullopt;
}

std::vector<std::string> glob_alternatives(std::string_view pattern) {
  std::vector<std::string> expanded;
  expect(!expand(std::string{pattern}, expanded).has_value(), "the glob was checked");
  return expanded;
}

std::optional<std::size_t> end_of_glob_set(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  i += i < pattern.size() && pattern[i] == '!' ? 1 : 0;
  for (bool first = true; i < pattern.size() && pattern[i] != '/'; ++i, first = false) {
    if (pattern[i] == ']' && !first) {
      return i + 1;
    }
  }
  return {};
}

}  // namespace pantile
