#include "source/glob.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <optional>

#include "base/error.hpp"
#include "config/glob_syntax.hpp"

namespace pantile {
namespace {

template <class Text>
std::vector<Text> split(std::string_view text) {
  std::vector<Text> names;
  while (true) {
    const std::size_t slash = text.find('/');
    names.emplace_back(text.substr(0, slash));
    if (slash == std::string_view::npos) {
      return names;
    }
    text.remove_prefix(slash + 1);
  }
}

bool set_has(std::string_view set, char wanted) {
  const bool negated = !set.empty() && set.front() == '!';
  set.remove_prefix(negated ? 1 : 0);
  const auto code = [](char c) { return static_cast<unsigned char>(c); };
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (code(set[i]) <= code(wanted) && code(wanted) <= code(set[i + 2]));
      i += 2;
    } else {
      found = found || set[i] == wanted;
    }
  }
  return found != negated;
}

/// Matches one character of `pattern` at `p` other than '*'; moves `p` behind it on success.
bool matches_one(std::string_view pattern, std::size_t& p, char c) {
  if (pattern[p] == '[') {
    const std::size_t end = end_of_glob_set(pattern, p).value();
    const bool in_set = set_has(pattern.substr(p + 1, end - p - 2), c);
    p = in_set ? end : p;
    return in_set;
  }
  const std::size_t at = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
  if (at == p && pattern[p] == '?') {
    ++p;
    return true;
  }
  const bool same = pattern[at] == c;
  p = same ? at + 1 : p;
  return same;
}

/// One name. Only the last '*' is ever tried again: what stands before it has found its shortest match already.
bool name_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::optional<std::size_t> star;
  std::size_t star_n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_n = n;
    } else if (p < pattern.size() && matches_one(pattern, p, name[n])) {
      ++n;
    } else if (star) {
      p = *star;
      n = ++star_n;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

/// The same one level up: names instead of characters, `**` instead of '*'.
bool names_match(const std::vector<std::string>& pattern, const std::vector<std::string_view>& names) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::optional<std::size_t> star;
  std::size_t star_n = 0;
  while (n < names.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      star = ++p;
      star_n = n;
    } else if (p < pattern.size() && name_matches(pattern[p], names[n])) {
      ++p;
      ++n;
    } else if (star) {
      p = *star;
      n = ++star_n;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == "**") {
    ++p;
  }
  return p == pattern.size();
}

}  // namespace

Glob::Glob(std::string_view pattern) {
  if (const auto mistake = glob_mistake(pattern)) {
    throw UsageError{fmt::format("glob '{}': {}", pattern, *mistake)};
  }
  for (const std::string& one : glob_alternatives(pattern)) {
    alternatives_.push_back(split<std::string>(one));
  }
}

bool Glob::matches(std::string_view path) const {
  const auto names = split<std::string_view>(path);
  for (const auto& pattern : alternatives_) {
    if (names_match(pattern, names)) {
      return true;
    }
  }
  return false;
}

}  // namespace pantile
