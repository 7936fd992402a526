#pragma once
// Talk, to stderr, for a person. stdout is for data only. Structured facts go to logs/ (report/), not here.
// The line of a worker names its rank; the coordinator and single commands speak without a prefix.

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace pantile::log {

enum class Level { debug, info, warn, error };

/// Lines below `level` are dropped. Default: info; PANTILE_LOG=debug|info|warn|error overrides it.
void set_level(Level level) noexcept;
/// Put before each line of this thread's process: "rank 2". Call once, before threads start.
void set_prefix(std::string prefix);
/// Where lines go: by default stderr. The progress display takes them over while it draws. Thread safe.
using Sink = void (*)(Level, std::string_view line);
void set_sink(Sink sink) noexcept;

/// Who keeps what is said, beside the sink (report/rank_log). nullptr: nobody. False if somebody does so already.
bool set_recorder(Sink recorder) noexcept;

/// Printed as printable_lines() has it: foreign words need no care before.
void write(Level level, std::string_view text);
/// A finished line of another process of ours: no prefix, no threshold, not recorded here. Its level is read
/// from its words.
void write_line(std::string_view line);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::warn, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::error, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace pantile::log
