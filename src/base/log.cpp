#include "base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "base/printable.hpp"

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
  line += printable_lines(text);
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
  current_sink.load()(level, printable_lines(line));
}

}  // namespace pantile::log
