#include "report/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_size.hpp"
#include "report/progress_words.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): literals only

constexpr std::array<double, 12> marks{0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};
/// A run of a few seconds crosses many marks; a person reads none of them.
constexpr auto least_gap = 2s;
constexpr auto longest_silence = 5min;
/// Silence may grow with the run, so that a run of weeks stays short: eight lines each time the time so far grows
/// e-fold.
constexpr int silence_share = 8;
constexpr int further_errors = 20;
constexpr std::size_t devices_named = 4;

std::string line(WallTime now, std::string_view what, std::string_view text) {
  return fmt::format("{} {:<8} {}", iso_time(now), what, clean(text, Charset::utf8));
}

std::string progress_text(const LiveState& state) {
  std::string text = fmt::format("{:>3.0f} %  {} of {} items  {}  {}", state.progress() * 100, state.done, state.items,
                                 words::rate(state.pixels_per_s), words::eta(state));
  return state.quarantined > 0 ? text + fmt::format("  {} quarantined", state.quarantined) : text;
}

std::string_view word(log::Level level) {
  switch (level) {
    case log::Level::debug: return "debug";
    case log::Level::info: return "note";
    case log::Level::warn: return "warning";
    case log::Level::error: break;
  }
  return "error";
}

/// The log has a column for the level: without what base/log.hpp puts before the text.
std::string_view without_level(std::string_view text) {
  for (const std::string_view prefix : {"debug: ", "warning: ", "error: "}) {
    if (text.starts_with(prefix)) {
      return text.substr(prefix.size());
    }
  }
  return text;
}

}  // namespace

void ProgressLog::start(std::vector<std::string>& lines, const LiveState& state, WallTime now) {
  std::string text = fmt::format("{}  {} rank{}, {} items, {}", state.run, state.ranks, state.ranks == 1 ? "" : "s",
                                 state.items, words::pixels(static_cast<double>(state.pixels)));
  if (state.epoch > 1) {
    text += fmt::format(", epoch {}, {} done before", state.epoch, state.done);
  }
  lines.push_back(line(now, first_ ? "restart" : "start", text));
  if (!state.devices.empty()) {
    std::string devices = std::to_string(state.devices.size());
    const std::size_t named = std::min(devices_named, state.devices.size());
    for (std::size_t i = 0; i < named; ++i) {
      devices += fmt::format("{} {} cap {}", i == 0 ? ":" : ",", state.devices[i].name,
                             format_byte_size(state.devices[i].cap_bytes));
    }
    lines.push_back(line(now, "devices", named < state.devices.size() ? devices + ", …" : devices));
  }
  first_ = first_.value_or(now);
  last_progress_ = now;
  step_ = static_cast<int>(std::count_if(marks.begin(), marks.end(), [&](double m) { return state.progress() >= m; }));
}

bool ProgressLog::is_due(const LiveState& state, WallTime now) {
  const auto passed =
      static_cast<int>(std::count_if(marks.begin(), marks.end(), [&](double m) { return state.progress() >= m; }));
  const auto silence = now - last_progress_;
  const bool mark = passed > step_ && silence >= least_gap && passed < static_cast<int>(marks.size());
  const bool sign_of_life = silence >= std::max<WallTime::duration>(longest_silence, (now - *first_) / silence_share);
  step_ = mark ? passed : step_;
  return mark || sign_of_life;
}

void ProgressLog::note(std::vector<std::string>& lines, log::Level level, std::string_view text, WallTime now) {
  const int limit = level == log::Level::error ? max_notes + further_errors : max_notes;
  if (notes_ < limit) {
    lines.push_back(line(now, word(level), text));
  } else if (notes_ == limit) {
    lines.push_back(line(now, "note", "enough of these lines here; all of them: " + texts_.run_folder + "/logs"));
  }
  notes_ = std::min(notes_ + 1, limit + 1);
}

std::vector<std::string> ProgressLog::on(const LiveState& state, WallTime now) {
  std::vector<std::string> lines;
  if (state.epoch != epoch_ && state.state != RunState::starting) {
    start(lines, state, now);
    epoch_ = state.epoch;
    last_message_ = 0;
  }
  for (const LiveMessage& message : state.messages) {
    if (message.number > last_message_) {
      note(lines, message.level, message.text, now);
      last_message_ = message.number;
    }
  }
  if (first_ && is_active(state.state) && is_due(state, now)) {
    lines.push_back(line(now, "progress", progress_text(state)));
    last_progress_ = now;
  }
  return lines;
}

std::vector<std::string> ProgressLog::on_line(log::Level level, std::string_view text, WallTime now) {
  std::vector<std::string> lines;
  note(lines, level, without_level(text), now);
  return lines;
}

std::vector<std::string> ProgressLog::finish(const LiveState& state, ExitCode code, WallTime now) {
  std::vector<std::string> lines = on(state, now);
  for (const std::string& text : closing_lines(state, now, code, texts_)) {
    lines.push_back(fmt::format("{} {}", iso_time(now), clean(text, Charset::utf8)));
  }
  return lines;
}

}  // namespace pantile
