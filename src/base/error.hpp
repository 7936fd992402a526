#pragma once
// Three kinds of wrong, three ways to say it (see also result.hpp):
// - a bad item is data: a Failure in a Result, recorded; the run goes on;
// - a broken machine or config throws Error; main turns it into one message and an exit code;
// - our own mistake: expect() is always on, says where, and ends the process.

#include <stdexcept>
#include <string>
#include <string_view>

// Older clangs lack what libstdc++ makes the real one of.
#if defined(__clang__) && __clang_major__ < 16
#include <experimental/source_location>
namespace pantile {
using SourceLocation = std::experimental::source_location;
}
#else
#include <source_location>
namespace pantile {
using SourceLocation = std::source_location;
}
#endif

namespace pantile {

/// What the process tells the shell. The numbers are part of the command line contract.
enum class ExitCode : int {
  done = 0,          ///< all items done
  failed = 1,        ///< the run or command failed
  usage = 2,         ///< wrong usage, config or plan; nothing was started
  quarantined = 3,   ///< done, but items are in quarantine
  differs = 4,       ///< verify found differences
  stopped = 75,      ///< stopped on request, resumable (EX_TEMPFAIL)
  interrupted = 130  ///< second Ctrl-C
};

/// A machine or config that cannot work. The text reads: what happened, where (why it matters). What to try.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text, ExitCode code = ExitCode::failed) : std::runtime_error{text}, code_{code} {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Wrong usage, config or plan: exit code 2, nothing was started.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& text) : Error{text, ExitCode::usage} {}
};

/// Prints what was expected, and where, to stderr, and aborts the process.
[[noreturn]] void expectation_failed(std::string_view what, const SourceLocation& where) noexcept;

/// An always-on check of our own promises; `what` reads as the truth that should hold: "the tile is in the grid".
constexpr void expect(bool holds, std::string_view what,
                      const SourceLocation& where = SourceLocation::current()) noexcept {
  if (!holds) [[unlikely]] {
    expectation_failed(what, where);
  }
}

/// An Error that the system gave. It keeps errno, so that a full disk can be told from a broken one.
class SystemError : public Error {
 public:
  SystemError(const std::string& text, int number) : Error{text}, number_{number} {}
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

/// An Error for the system call that just failed: adds strerror(errno). Call it right after the call.
[[nodiscard]] SystemError system_error(std::string_view doing);
/// The same for a known errno.
[[nodiscard]] SystemError system_error(std::string_view doing, int number);

/// errno of an Error that the system gave; 0 of any other.
[[nodiscard]] int error_number(const Error& error) noexcept;
/// Is it that the disk takes nothing more for now (full, over quota, read-only)? Such a trouble may pass; no other
/// does.
[[nodiscard]] bool is_out_of_space(const Error& error) noexcept;

}  // namespace pantile
