#pragma once
// Mistakes in a job file, shown as a compiler shows them: where, the line, a caret, what to write instead.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pantile {

/// Text that a person wrote: a file, an environment variable that overrides a key, or one --set.
struct ConfigSource {
  /// In the order in which they override each other.
  enum class Kind { file, environment, set };
  std::string display;             ///< "job.yaml", "PANTILE__TILES__SIZE=96", "--set devices.memory.cap=4GiB"
  std::vector<std::string> lines;  ///< for --set and variables the one line `display`
  Kind kind = Kind::file;
  std::filesystem::path folder{};  ///< of a file, absolute: where relative paths in it count from
  std::size_t order = 0;           ///< messages are sorted by kind, then by it, then by place
};

/// A stretch of one line. A null source: nothing to show.
struct Place {
  std::shared_ptr<const ConfigSource> source;
  int line = 0;    ///< from 0; -1: the source as a whole
  int column = 0;  ///< bytes, from 0
  int length = 0;  ///< bytes
};

/// "job.yaml:6:3", or the variable or --set as a whole.
[[nodiscard]] std::string to_string(const Place& place);
/// "job.yaml:6:3", "PANTILE__TILES__SIZE" or "--set".
[[nodiscard]] std::string origin_of(const Place& place);

struct Diagnostic {
  std::string message;  ///< "unknown key 'devices.jobs_per_devcie'"
  Place place;
  std::string hint;  ///< behind the caret: "did you mean 'jobs_per_device'?"; may be empty
};

enum class Paint { plain, color };

/// One message with its lines, ending in a newline.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, Paint paint);

/// All mistakes of a job at once. what() is the whole text without colour, from the first "error: " to the line with
/// the count; print it as it is, without another prefix.
class ConfigError : public UsageError {
 public:
  explicit ConfigError(std::vector<Diagnostic> diagnostics);
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const noexcept { return *diagnostics_; }
  [[nodiscard]] std::string text(Paint paint) const;

 private:
  std::shared_ptr<const std::vector<Diagnostic>> diagnostics_;  // shared: copying an exception must not throw
};

/// Colour if stderr is a terminal and NO_COLOR is not set.
[[nodiscard]] Paint paint_of_stderr();

}  // namespace pantile
