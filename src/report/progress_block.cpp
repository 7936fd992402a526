// What is drawn: the block of a terminal and the closing lines. Pure; progress.cpp decides when.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/byte_size.hpp"
#include "report/progress.hpp"
#include "report/progress_words.hpp"

namespace pantile {
namespace {

constexpr std::size_t max_devices = 8;
constexpr std::size_t max_messages = 3;

std::string bar(double share, std::size_t width, Charset charset) {
  if (charset == Charset::ascii) {
    const auto full = static_cast<std::size_t>(std::floor(share * static_cast<double>(width)));
    return std::string(full, '#') + std::string(width - full, '.');
  }
  const auto halves = static_cast<std::size_t>(std::floor(share * static_cast<double>(2 * width)));
  std::string text;
  for (std::size_t i = 0; i < width; ++i) {
    text += halves >= 2 * (i + 1) ? "█" : halves == 2 * i + 1 ? "▌" : "·";
  }
  return text;
}

std::string title(const LiveState& state, WallTime now, std::size_t width, Charset charset) {
  const char* const dot = charset == Charset::utf8 ? "·" : "-";
  std::string text = fmt::format("{} {} {} rank{}", state.run, dot, state.ranks, state.ranks == 1 ? "" : "s");
  if (state.epoch > 1) {
    text += fmt::format(" {} resumed, epoch {}", dot, state.epoch);
  }
  if (state.state != RunState::running) {
    text += fmt::format(" {} {}", dot, name(state.state));
  }
  const std::string elapsed = words::duration(now - state.started) + " elapsed";
  const std::size_t room = width > elapsed.size() + 2 ? width - elapsed.size() - 2 : 0;
  return pad_right(fit(clean(text, charset), room, charset), room) + "  " + elapsed;
}

std::string items(const LiveState& state, Charset charset) {
  const char* const dot = charset == Charset::utf8 ? "·" : "-";
  const std::uint64_t known = state.done + state.computed + state.running + state.quarantined;
  // What a narrow terminal cuts off is what matters least.
  std::string text = fmt::format("  items  {} done", state.done);
  const auto add = [&](std::uint64_t count, const char* what) { text += fmt::format(" {} {} {}", dot, count, what); };
  if (state.quarantined > 0) {
    add(state.quarantined, "quarantined");
  }
  if (state.computed > 0) {
    add(state.computed, "computed");
  }
  add(state.running, "running");
  add(state.items > known ? state.items - known : 0, "waiting");
  return text;
}

/// The figures of devices stand in columns. What a narrow terminal cuts off, at the right, is what matters least; the
/// bar is only drawn where it cuts nothing off.
struct DeviceColumns {
  static constexpr std::size_t most_bar = 8;
  static constexpr std::size_t least_bar = 4;
  static constexpr std::size_t busy = 5;       ///< "100 %"
  static constexpr std::size_t size = 8;       ///< "1023 MiB"
  static constexpr std::size_t rate = 10;      ///< "44.0 Mpx/s"
  static constexpr std::size_t predicted = 9;  ///< its title
  std::size_t name = 6;                        ///< its title
  std::size_t bar = 0;
  std::size_t width = 0;  ///< of the window

  void fit_into(std::size_t columns) {
    width = columns;
    const std::size_t all = 2 + name + 2 + busy + 3 * (2 + size) + 2 + predicted + 2 + rate;
    bar = width > all + least_bar ? std::min(most_bar, width - all - 1) : 0;
  }
  [[nodiscard]] std::string line(std::string_view name_text, const std::string& bar_text, std::string_view busy_text,
                                 const std::array<std::string, 4>& sizes, std::string_view rate_text) const {
    return fmt::format("  {}  {}{:>{}}  {:>{}}  {:>{}}  {:>{}}  {:>{}}  {:>{}}", pad_right(name_text, name),
                       bar == 0 ? "" : pad_right(bar_text, bar) + " ", busy_text, busy, sizes[0], size, sizes[1],
                       predicted, sizes[2], size, sizes[3], size, rate_text, rate);
  }
};

std::string device(const DeviceLive& d, const DeviceColumns& table, Charset charset) {
  const double share = std::clamp(d.utilisation, 0.0, 1.0);
  const std::string text =
      table.line(clean(d.name, charset), bar(share, table.bar, charset), fmt::format("{:.0f} %", share * 100),
                 {format_byte_size(d.cap_bytes), format_byte_size(d.predicted_bytes), format_byte_size(d.used_bytes),
                  format_byte_size(d.others_bytes)},
                 words::rate(d.pixels_per_s));
  const std::string lanes = fmt::format("  {} lane{}", d.lanes, d.lanes == 1 ? "" : "s");
  // An ellipsis for what is not even begun would only hide the end of the speed.
  return columns(text + lanes) > table.width ? text : text + lanes + "  " + clean(d.doing, charset);
}

void add_devices(std::vector<std::string>& lines, const LiveState& state, std::size_t width, Charset charset) {
  const std::size_t shown = std::min(state.devices.size(), max_devices);
  if (shown == 0) {
    return;
  }
  DeviceColumns table;
  for (std::size_t i = 0; i < shown; ++i) {
    table.name = std::max(table.name, columns(clean(state.devices[i].name, charset)));
  }
  table.fit_into(width);
  lines.push_back(table.line("device", "", "busy", {"cap", "predicted", "used", "others"}, "speed"));
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(device(state.devices[i], table, charset));
  }
  if (shown < state.devices.size()) {
    lines.push_back(fmt::format("  and {} more devices", state.devices.size() - shown));
  }
  lines.emplace_back();
}

void add_messages(std::vector<std::string>& lines, const LiveState& state, Charset charset) {
  std::vector<std::string> texts;
  for (auto message = state.messages.rbegin(); message != state.messages.rend() && texts.size() < max_messages;
       ++message) {
    if (message->level >= log::Level::warn) {
      texts.push_back("  ! " + clean(message->text, charset));
    }
  }
  lines.insert(lines.end(), texts.rbegin(), texts.rend());
}

const char* hint(RunState state, CtrlC ctrl_c) {
  if (ctrl_c == CtrlC::ends_display) {
    return "  Ctrl-C ends this display; the run goes on";
  }
  return state == RunState::draining
             ? "  stopping, resumable: finishing what is in flight; Ctrl-C again = stop now"
             : "  Ctrl-C once = finish what is in flight and stop (resumable); twice = stop now";
}

std::string verdict(ExitCode code) {
  switch (code) {
    case ExitCode::done:
    case ExitCode::quarantined: return "done";
    case ExitCode::stopped:
    case ExitCode::interrupted: return "stopped";
    case ExitCode::failed:
    case ExitCode::usage:
    case ExitCode::differs: break;
  }
  return "failed";
}

std::string next_step(ExitCode code, const ProgressTexts& texts) {
  switch (code) {
    case ExitCode::done: return fmt::format("pantile verify {}", texts.run_folder);
    case ExitCode::quarantined:
      return fmt::format("why: {0}/quarantine.csv; the rest: pantile verify {0}", texts.run_folder);
    case ExitCode::stopped:
    case ExitCode::interrupted: return fmt::format("pantile run {}  (goes on from here)", texts.job);
    case ExitCode::failed:
    case ExitCode::usage:
    case ExitCode::differs: break;
  }
  return fmt::format("why: above and in {}/logs; then: pantile run {}  (goes on from here)", texts.run_folder,
                     texts.job);
}

}  // namespace

std::vector<std::string> progress_block(const LiveState& state, WallTime now, int width, Charset charset,
                                        CtrlC ctrl_c) {
  const auto room = static_cast<std::size_t>(std::max(20, width));
  const std::string figures = fmt::format(
      "  {:>3.0f} %  {} of {}  {}  {}", std::floor(state.progress() * 100),
      words::pixels(static_cast<double>(state.pixels_done)), words::pixels(static_cast<double>(state.pixels)),
      words::rate(state.pixels_per_s), is_active(state.state) ? words::eta(state) : std::string{});
  // By the window alone: a bar that changes its length with each figure is hard to read.
  const std::size_t bar_width = std::clamp<std::size_t>(room > 70 ? room - 70 : 0, 10, 40);
  std::vector<std::string> lines;
  lines.push_back(title(state, now, room, charset));
  lines.push_back("  " + bar(state.progress(), bar_width, charset) + figures);
  lines.push_back(items(state, charset));
  lines.emplace_back();
  add_devices(lines, state, room, charset);
  add_messages(lines, state, charset);
  if (ctrl_c != CtrlC::unsaid) {
    lines.emplace_back(hint(state.state, ctrl_c));
  }
  while (lines.back().empty()) {
    lines.pop_back();
  }
  for (std::string& line : lines) {
    line = fit(line, room, charset);
    line.erase(line.find_last_not_of(' ') + 1);
  }
  return lines;
}

std::vector<std::string> closing_lines(const LiveState& state, WallTime now, ExitCode code,
                                       const ProgressTexts& texts) {
  const std::chrono::duration<double> time = now - state.started;
  const auto new_pixels = static_cast<double>(state.pixels_done - std::min(state.pixels_before, state.pixels_done));
  std::string text = fmt::format("{:<8} {} of {} items", verdict(code), state.done, state.items);
  if (state.quarantined > 0) {
    text += fmt::format(", {} quarantined", state.quarantined);
  }
  text += fmt::format(", {}, {}, exit {}", words::duration(now - state.started),
                      words::rate(time.count() > 0 ? new_pixels / time.count() : 0), static_cast<int>(code));
  return {std::move(text), fmt::format("{:<8} {}", "next", next_step(code, texts))};
}

}  // namespace pantile
