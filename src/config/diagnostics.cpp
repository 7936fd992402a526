#include "config/diagnostics.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace pantile {
namespace {

/// More than this says nothing new: the first ones usually explain the rest.
constexpr std::size_t max_shown = 20;

std::string painted(std::string_view text, const char* code, Paint paint) {
  return paint == Paint::color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string{text};
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// Columns of a UTF-8 text, each character counted as one.
int columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), starts_character));
}

/// The line without what would move the caret or the terminal.
std::string shown_line(std::string line) {
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return line;
}

/// What the carets need: blanks up to the place, carets under it, the hint behind.
std::string caret_line(const Diagnostic& diagnostic, std::string_view line, Paint paint) {
  const auto at = std::min(static_cast<std::size_t>(std::max(0, diagnostic.place.column)), line.size());
  const auto length = static_cast<std::size_t>(std::max(1, diagnostic.place.length));
  const int carets = std::max(1, columns(line.substr(at, length)));
  std::string text(static_cast<std::size_t>(columns(line.substr(0, at))), ' ');
  text += painted(std::string(static_cast<std::size_t>(carets), '^'), "1;31", paint);
  if (!diagnostic.hint.empty()) {
    text += ' ' + painted(diagnostic.hint, "32", paint);
  }
  return text;
}

/// Of a line that is wider than any terminal, such as a job in JSON, the part around the place.
void cut_to_place(std::string& line, Diagnostic& diagnostic) {
  constexpr std::size_t widest = 160;
  constexpr std::size_t before = 60;
  if (line.size() <= widest) {
    return;
  }
  const auto at = std::min(static_cast<std::size_t>(std::max(0, diagnostic.place.column)), line.size());
  std::size_t begin = at > before ? at - before : 0;
  std::size_t end = std::min(line.size(), begin + widest);
  while (begin > 0 && !starts_character(line[begin])) {
    --begin;
  }
  while (end < line.size() && !starts_character(line[end])) {
    ++end;
  }
  const std::string_view mark = begin == 0 ? "" : "… ";
  diagnostic.place.column = static_cast<int>(at - begin + mark.size());
  line = fmt::format("{}{}{}", mark, line.substr(begin, end - begin), end < line.size() ? " …" : "");
}

std::string where(Diagnostic diagnostic, Paint paint) {
  const Place place = diagnostic.place;
  if (place.source == nullptr || place.line < 0 || static_cast<std::size_t>(place.line) >= place.source->lines.size()) {
    const std::string file = place.source == nullptr ? "" : fmt::format("  --> {}\n", place.source->display);
    return diagnostic.hint.empty() ? file : file + fmt::format("   = {}\n", painted(diagnostic.hint, "32", paint));
  }
  std::string line = shown_line(place.source->lines[static_cast<std::size_t>(place.line)]);
  cut_to_place(line, diagnostic);
  if (place.source->kind != ConfigSource::Kind::file) {
    return fmt::format("  --> {}\n      {}\n", line, caret_line(diagnostic, line, paint));
  }
  const std::string number = std::to_string(place.line + 1);
  const std::string gutter(number.size() + 1, ' ');
  return fmt::format("{}--> {}\n{} |\n {} | {}\n{} | {}\n", gutter, to_string(place), gutter, number, line, gutter,
                     caret_line(diagnostic, line, paint));
}

std::string whole_text(const std::vector<Diagnostic>& diagnostics, Paint paint) {
  std::string text;
  const std::size_t shown = std::min(diagnostics.size(), max_shown);
  for (std::size_t i = 0; i < shown; ++i) {
    text += render(diagnostics[i], paint);
  }
  if (shown < diagnostics.size()) {
    text += fmt::format("… and {} more.\n", diagnostics.size() - shown);
  }
  text += fmt::format("{} error{}, nothing was started. All keys: pantile config keys", diagnostics.size(),
                      diagnostics.size() == 1 ? "" : "s");
  return text;
}

std::vector<Diagnostic> sorted(std::vector<Diagnostic> diagnostics) {
  const auto key = [](const Diagnostic& d) {
    const ConfigSource* const source = d.place.source.get();
    return std::tuple{source == nullptr ? ConfigSource::Kind::file : source->kind,
                      source == nullptr ? 0 : source->order, d.place.line, d.place.column};
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  return diagnostics;
}

}  // namespace

std::string to_string(const Place& place) {
  if (place.source == nullptr) {
    return "";
  }
  if (place.source->kind != ConfigSource::Kind::file || place.line < 0) {
    return place.source->display;
  }
  return fmt::format("{}:{}:{}", place.source->display, place.line + 1, place.column + 1);
}

std::string origin_of(const Place& place) {
  if (place.source != nullptr && place.source->kind == ConfigSource::Kind::set) {
    return "--set";
  }
  const std::string whole = to_string(place);
  return place.source != nullptr && place.source->kind == ConfigSource::Kind::environment
             ? whole.substr(0, whole.find('='))
             : whole;
}

std::string render(const Diagnostic& diagnostic, Paint paint) {
  return fmt::format("{} {}\n{}", painted("error:", "1;31", paint), diagnostic.message, where(diagnostic, paint));
}

ConfigError::ConfigError(std::vector<Diagnostic> diagnostics)
    : UsageError{whole_text(sorted(diagnostics), Paint::plain)},
      diagnostics_{std::make_shared<const std::vector<Diagnostic>>(sorted(std::move(diagnostics)))} {}

std::string ConfigError::text(Paint paint) const { return whole_text(*diagnostics_, paint); }

Paint paint_of_stderr() {
  const char* const no_color = std::getenv("NO_COLOR");
  const bool wanted = no_color == nullptr || *no_color == '\0';
  return wanted && ::isatty(STDERR_FILENO) == 1 ? Paint::color : Paint::plain;
}

}  // namespace pantile
