#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pantile {

/// A pattern over relative paths with '/' between folders, matched byte for byte against the whole path:
///
///     *       any characters of one name, none too         pages/*.png
///     ?       one byte of a name
///     [a-c]   one byte of a set; [!a-c] one that is not    vol-0[1-3]/*.png
///     **      any number of folders, none too              **/*.png, raw/**
///     {a,b}   either; may be nested                        **/*.{png,jpg}
///     \x      the character x itself
class Glob {
 public:
  /// Throws UsageError if braces or brackets do not close, or the braces stand for more than 1024 patterns.
  explicit Glob(std::string_view pattern);
  [[nodiscard]] bool matches(std::string_view path) const;

 private:
  std::vector<std::vector<std::string>> alternatives_;  ///< braces expanded; each split at '/'
};

}  // namespace pantile
