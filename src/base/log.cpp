#include "base/log.hpp"

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
std::string line_prefix;  // NOLINT(cert-err58-cpp): an empty string does not throw

}  // namespace

void set_level(Level level) noexcept { threshold = level; }
void set_prefix(std::string prefix) { line_prefix = std::move(prefix); }
void set_sink(Sink sink) noexcept { current_sink = sink != nullptr ? sink : &to_stderr; }

void write(Level level, std::string_view text) {
  if (level < threshold.load()) {
    return;
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
  line += text;
  current_sink.load()(level, line);
}

void write_line(std::string_view line) { current_sink.load()(Level::info, line); }

}  // namespace pantile::log
