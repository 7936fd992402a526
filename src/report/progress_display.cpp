// The thin shell around progress.cpp: stderr, the clock, the size of the window.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <mutex>

#include "report/progress.hpp"

namespace pantile {
namespace {

constexpr std::chrono::milliseconds least_redraw{100};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct Window {
  int width = 100;
  int height = 1000;
};
/// Of the terminal; roomy where it does not say.
Window window() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return {.width = known && size.ws_col > 0 ? size.ws_col : Window{}.width,
          .height = known && size.ws_row > 0 ? size.ws_row : Window{}.height};
}

/// Progress is not worth a failure: what cannot be written is lost.
void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + '\n';
  }
  return text;
}

ProgressDisplay::Mode resolved(ProgressDisplay::Mode mode) {
  if (mode != ProgressDisplay::Mode::automatic) {
    return mode;
  }
  const bool terminal = ::isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb";
  return terminal ? ProgressDisplay::Mode::terminal : ProgressDisplay::Mode::log;
}

}  // namespace

/// The first of the three that is set decides.
Charset charset_of_locale() {
  for (const char* const variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale = environment(variable);
    if (!locale.empty()) {
      std::transform(locale.begin(), locale.end(), locale.begin(), [](unsigned char c) { return std::tolower(c); });
      return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos ? Charset::utf8
                                                                                                   : Charset::ascii;
    }
  }
  return Charset::ascii;
}

struct ProgressDisplay::Shell {
  Shell(ProgressTexts texts_, Mode mode_, CtrlC ctrl_c_)
      : texts{std::move(texts_)}, mode{mode_}, ctrl_c{ctrl_c_}, log_lines{texts} {}

  ProgressTexts texts;
  Mode mode;
  CtrlC ctrl_c;
  ProgressLog log_lines;
  Charset charset = charset_of_locale();
  std::vector<std::string> drawn;  ///< the block on the screen
  std::chrono::steady_clock::time_point last_draw;

  /// Takes the block off the screen. The window may have become narrower since: its lines then take more rows.
  [[nodiscard]] std::string erasure() {
    const auto width = static_cast<std::size_t>(window().width);
    std::size_t rows = 0;
    for (const std::string& line : drawn) {
      rows += std::max<std::size_t>(1, (columns(line) + width - 1) / width);
    }
    drawn.clear();
    return rows == 0 ? "" : "\r\x1b[" + std::to_string(rows) + "A\x1b[J";
  }

  void draw(std::vector<std::string> block) {
    std::string text = erasure();
    drawn = std::move(block);
    put(text + joined(drawn));
    last_draw = std::chrono::steady_clock::now();
  }

  void update(const LiveState& state) {
    const WallTime now = std::chrono::system_clock::now();
    if (mode == Mode::log) {
      put(joined(log_lines.on(state, now)));
    } else if (mode == Mode::terminal && std::chrono::steady_clock::now() - last_draw >= least_redraw) {
      // One column less than there are: some terminals wrap a full line.
      const Window room = window();
      std::vector<std::string> block = progress_block(state, now, room.width - 1, charset, ctrl_c);
      // Lines above the window's top cannot be taken back.
      block.resize(std::min(block.size(), static_cast<std::size_t>(std::max(1, room.height - 1))));
      draw(std::move(block));
    }
  }

  void say(log::Level level, std::string_view line) {
    if (mode == Mode::log) {
      put(joined(log_lines.on_line(level, line, std::chrono::system_clock::now())));
      return;
    }
    std::vector<std::string> block = drawn;
    put(erasure() + std::string{line} + '\n' + joined(block));
    drawn = std::move(block);
  }

  void finish(const LiveState& state, ExitCode code) {
    const WallTime now = std::chrono::system_clock::now();
    if (mode == Mode::log) {
      put(joined(log_lines.finish(state, code, now)));
    } else {
      put(erasure() + joined(closing_lines(state, now, code, texts)));
    }
  }
};

namespace {

// One display in a process: a log::Sink is a plain function, so it needs a place to find the display.
std::mutex display_mutex;
ProgressDisplay::Shell* active = nullptr;

void to_display(log::Level level, std::string_view line) {
  const std::scoped_lock lock{display_mutex};
  if (active != nullptr) {
    active->say(level, line);
  } else {
    put(std::string{line} + '\n');
  }
}

}  // namespace

ProgressDisplay::ProgressDisplay(ProgressTexts texts, Mode mode, CtrlC ctrl_c)
    : shell_{std::make_unique<Shell>(std::move(texts), resolved(mode), ctrl_c)} {
  const std::scoped_lock lock{display_mutex};
  expect(active == nullptr, "there is one progress display at a time");
  active = shell_.get();
  log::set_sink(&to_display);
}

ProgressDisplay::~ProgressDisplay() {
  const std::scoped_lock lock{display_mutex};
  if (active == shell_.get()) {
    put(shell_->erasure());
    log::set_sink(nullptr);
    active = nullptr;
  }
}

bool ProgressDisplay::draws() const noexcept { return shell_->mode == Mode::terminal; }

void ProgressDisplay::update(const LiveState& state) {
  const std::scoped_lock lock{display_mutex};
  if (active == shell_.get()) {
    shell_->update(state);
  }
}

void ProgressDisplay::finish(const LiveState& state, ExitCode code) {
  const std::scoped_lock lock{display_mutex};
  if (active == shell_.get()) {
    shell_->finish(state, code);
    log::set_sink(nullptr);
    active = nullptr;
  }
}

}  // namespace pantile
