#pragma once
// What a person sees of a running run: one redrawn block on a terminal, sparse lines in a log. ProgressLog and
// progress_block are pure; ProgressDisplay is the thin shell that owns stderr while a run goes on.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "report/columns.hpp"
#include "report/live.hpp"

namespace pantile {

/// What the lines at the end point to.
struct ProgressTexts {
  std::string job;         ///< as on the command line: "job.yaml"
  std::string run_folder;  ///< "out/manga-2x"
};

/// What Ctrl-C does for who looks at the block; its last line says so.
enum class CtrlC { stops_run, ends_display, unsaid };

/// The block of a terminal: no line is wider than `width` columns, none has a control character. Pure.
[[nodiscard]] std::vector<std::string> progress_block(const LiveState& state, WallTime now, int width, Charset charset,
                                                      CtrlC ctrl_c = CtrlC::stops_run);

/// The last lines of a run, for terminal and log alike, without time: what was done, the exit code, what to type next.
[[nodiscard]] std::vector<std::string> closing_lines(const LiveState& state, WallTime now, ExitCode code,
                                                     const ProgressTexts& texts);

/// Sparse lines with ISO time for a log. Stateful but pure: time is an argument.
///
/// A line at the start, at 1 %, 5 %, 10 % and each further 10 %, but no two within 2 s; and if nothing was said for 5
/// min or an eighth of the time so far, whichever is longer, a line that it goes on. So a run of any length stays
/// under 200 lines. At most `max_notes` of them are messages, 20 more if they are errors.
class ProgressLog {
 public:
  static constexpr int max_notes = 50;
  explicit ProgressLog(ProgressTexts texts) : texts_{std::move(texts)} {}
  /// The lines due now; none most of the time.
  [[nodiscard]] std::vector<std::string> on(const LiveState& state, WallTime now);
  /// One line from the log of this process, with its time; nothing once there were too many.
  [[nodiscard]] std::vector<std::string> on_line(log::Level level, std::string_view text, WallTime now);
  /// The closing lines, with their time.
  [[nodiscard]] std::vector<std::string> finish(const LiveState& state, ExitCode code, WallTime now);

 private:
  void start(std::vector<std::string>& lines, const LiveState& state, WallTime now);
  [[nodiscard]] bool is_due(const LiveState& state, WallTime now);
  void note(std::vector<std::string>& lines, log::Level level, std::string_view text, WallTime now);

  ProgressTexts texts_;
  std::optional<WallTime> first_;
  WallTime last_progress_;
  int step_ = 0;  ///< how many of the marks 1 %, 5 %, 10 %, 20 % … were passed
  int notes_ = 0;
  std::uint32_t epoch_ = 0;
  std::uint64_t last_message_ = 0;
};

/// What the terminal can show, by the rule of the C library for LC_ALL, LC_CTYPE and LANG.
[[nodiscard]] Charset charset_of_locale();

/// Owns stderr from construction to finish(): draws the block at most ten times a second, or prints sparse lines, and
/// takes the lines of base/log.hpp meanwhile so that they do not tear the block. One at a time in a process. Thread
/// safe.
class ProgressDisplay {
 public:
  enum class Mode { automatic, terminal, log };
  /// `automatic`: terminal if stderr is one and TERM is not "dumb", else log.
  explicit ProgressDisplay(ProgressTexts texts, Mode mode = Mode::automatic, CtrlC ctrl_c = CtrlC::stops_run);
  /// Clears the block and gives stderr back.
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// True if it redraws a block, false if it writes lines.
  [[nodiscard]] bool draws() const noexcept;
  /// Call as often as you like; most calls draw nothing.
  void update(const LiveState& state);
  /// Replaces the block by the closing lines and gives stderr back. Once.
  void finish(const LiveState& state, ExitCode code);

  struct Shell;

 private:
  std::unique_ptr<Shell> shell_;
};

}  // namespace pantile
