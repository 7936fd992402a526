#include "source/stack_look.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill()
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"
#include "base/file.hpp"

namespace pantile::detail {
namespace {

using Clock = std::chrono::steady_clock;

/// Far more than it takes to read a few kilobytes, from a tape too.
constexpr std::chrono::seconds patience{120};

enum class Told : char { facts = 'F', usage = 'U', error = 'E' };

void tell(int pipe, Told what, std::string_view text) {
  const char mark = static_cast<char>(what);
  write_all(pipe, std::as_bytes(std::span{&mark, 1}), "a pipe");
  write_all(pipe, std::as_bytes(std::span{text}), "a pipe");
}

/// In the child. Never returns; what it holds of its parent's is left as it is.
[[noreturn]] void look_and_tell(const std::filesystem::path& file, const std::string& dataset, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    ::signal(signal, SIG_DFL);  // Open MPI would tell the world.
  }
  try {
    const StackFacts facts = Stack{file, dataset}.facts();
    tell(pipe, Told::facts, {reinterpret_cast<const char*>(&facts), sizeof(facts)});
  } catch (const UsageError& error) {
    tell(pipe, Told::usage, error.what());
  } catch (const std::exception& error) {
    tell(pipe, Told::error, error.what());
  }
  ::_exit(0);
}

/// All that comes until the other end is closed; what came so far when the time is over.
std::string read_all(int pipe) {
  std::string text;
  std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  const Clock::time_point deadline = Clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wanted{.fd = pipe, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || (::poll(&wanted, 1, static_cast<int>(left.count())) == 0)) {
      return text;
    }
    const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

StackFacts look_apart(const std::filesystem::path& file, const std::string& dataset) {
  static_assert(std::is_trivially_copyable_v<StackFacts>);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw system_error("cannot make a pipe to look at " + file.string());
  }
  const File read_end{ends[0]};
  File write_end{ends[1]};
  const pid_t child = ::fork();
  if (child < 0) {
    throw system_error("cannot start a process to look at " + file.string());
  }
  if (child == 0) {
    look_and_tell(file, dataset, write_end.get());
  }
  write_end = File{};
  const std::string said = read_all(read_end.get());
  ::kill(child, SIGKILL);  // It has said all that it will.
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const Told told = said.empty() ? Told::usage : Told{said.front()};
  const std::string_view rest = std::string_view{said}.substr(said.empty() ? 0 : 1);
  if (told == Told::facts && rest.size() == sizeof(StackFacts)) {
    StackFacts facts;
    std::memcpy(&facts, rest.data(), sizeof(facts));
    return facts;
  }
  if (told == Told::error) {
    throw Error{std::string{rest}};
  }
  throw UsageError{rest.empty() ? fmt::format("input {}:{}: the HDF5 library ended or hung over it (a damaged file, or "
                                              "one that was made to do harm). Is the copy complete?",
                                              file.string(), dataset)
                                : std::string{rest}};
}

}  // namespace pantile::detail
