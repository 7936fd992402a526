#include "base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace pantile::log {
namespace {

Level initial_level() {
  const char* const text = std::getenv("PANTILE_LOG");
  const std::string_view wanted = text != nullptr ? text : "";
  return wanted == "debug"   ? Level::debug
         : wanted == "warn"  ? Level::warn
         : wanted == "error" ? Level::error
                             : Level::info;
}

void to_stderr(Level /*level*/, std::string_view line) {
  std::string text{line};
  text += '\n';
  // One write per line: lines of several ranks on one terminal do not mix.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

std::atomic<Level> threshold{initial_level()};
std::atomic<Sink> current_sink{&to_stderr};
std::atomic<Sink> current_recorder{nullptr};
std::string line_prefix;  // NOLINT(cert-err58-cpp): an empty string does not throw

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text.substr(i).starts_with("\x1b[")) {
      const std::size_t end = text.find_first_not_of("0123456789;", i + 2);
      if (end != std::string_view::npos && text[end] == 'm') {
        safe += text.substr(i, end + 1 - i);
        i = end;
        continue;
      }
    }
    // The second half of 32: UTF-8 for U+0080 to U+009F, which some terminals obey as well.
    const bool second = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (second) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
      safe += fmt::format("\\x{:02x}", byte);
    } else {
      safe += text[i];
    }
  }
  return safe;
}

void set_level(Level level) noexcept { threshold = level; }
void set_prefix(std::string prefix) { line_prefix = std::move(prefix); }
void set_sink(Sink sink) noexcept { current_sink = sink != nullptr ? sink : &to_stderr; }
bool set_recorder(Sink recorder) noexcept {
  Sink nobody = nullptr;
  if (recorder == nullptr) {
    current_recorder = nullptr;
    return true;
  }
  return current_recorder.compare_exchange_strong(nobody, recorder);
}

void write(Level level, std::string_view text) {
  if (level < threshold.load()) {
    return;
  }
  if (const Sink recorder = current_recorder.load(); recorder != nullptr) {
    recorder(level, text);
  }
  std::string line;
  if (!line_prefix.empty()) {
    line += line_prefix + ": ";
  }
  if (level == Level::warn) {
    line += "warning: ";
  } else if (level == Level::error) {
    line += "error: ";
  } else if (level == Level::debug) {
    line += "debug: ";
  }
  line += printable(text);
  current_sink.load()(level, line);
}

void write_line(std::string_view line) {
  std::string_view words = line;
  if (words.starts_with("rank ")) {
    const std::size_t end = words.find(": ");
    words.remove_prefix(end == std::string_view::npos ? 0 : end + 2);
  }
  const Level level = words.starts_with("error: ")     ? Level::error
                      : words.starts_with("warning: ") ? Level::warn
                                                       : Level::info;
  current_sink.load()(level, line);
}

}  // namespace pantile::log
