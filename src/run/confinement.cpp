#include "run/confinement.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <seccomp.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): siginfo_t
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_size.hpp"
#include "base/log.hpp"

namespace pantile {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers trace their own process, open logs, and map terabytes of shadow memory.
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

struct ReleaseFilter {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

/// 0, or the first error of the library (negative errno).
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_{filter} {}
  template <class... Compare>
  void add(std::uint32_t action, int call, Compare... compare) {
    const int failed = ::seccomp_rule_add(filter_, action, call, sizeof...(compare), compare...);
    error_ = error_ == 0 ? failed : error_;
  }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  scmp_filter_ctx filter_;
  int error_ = 0;
};

/// The call was not made. Says which one it was, and ends the process as the kernel would have.
extern "C" void on_forbidden_call(int number, siginfo_t* info, void* /*context*/) {
  std::array<char, 16> digits{};
  std::size_t begin = digits.size();
  for (int call = info->si_syscall; begin == digits.size() || call > 0; call /= 10) {
    digits[--begin] = static_cast<char>('0' + call % 10);
  }
  constexpr std::string_view text = "forbidden to an executor: system call ";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
  written = ::write(STDERR_FILENO, &digits[begin], digits.size() - begin);
  written = ::write(STDERR_FILENO, "\n", 1);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

int load_filter() {
  struct sigaction action {};
  action.sa_sigaction = &on_forbidden_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigaction(SIGSYS, &action, nullptr);
  const Filter filter{::seccomp_init(SCMP_ACT_ALLOW)};
  if (!filter) {
    return -ENOMEM;
  }
  Rules rules{filter.get()};
  for (const int call : {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(socket), SCMP_SYS(socketpair),
                         SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
                         SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)}) {
    rules.add(SCMP_ACT_TRAP, call);
  }
  // A ring makes system calls that no filter sees; openat2 hides its flags in memory. libc falls back.
  rules.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup));
  rules.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2));
  for (const std::uint32_t mode : {std::uint32_t{O_WRONLY}, std::uint32_t{O_RDWR}}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
  }
  for (const std::uint32_t flag : {std::uint32_t{O_CREAT}, std::uint32_t{O_TRUNC}}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag));
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  for (const int call :
       {SCMP_SYS(creat),    SCMP_SYS(truncate),  SCMP_SYS(unlink),   SCMP_SYS(unlinkat),  SCMP_SYS(rename),
        SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir),    SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),
        SCMP_SYS(link),     SCMP_SYS(linkat),    SCMP_SYS(symlink),  SCMP_SYS(symlinkat), SCMP_SYS(chmod),
        SCMP_SYS(fchmodat), SCMP_SYS(chown),     SCMP_SYS(fchownat), SCMP_SYS(mknod),     SCMP_SYS(mknodat),
        SCMP_SYS(mount),    SCMP_SYS(umount2)}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), call);
  }
  if (rules.error() != 0) {
    return rules.error();
  }
  if (const int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); failed != 0) {
    return failed;
  }
  return ::seccomp_load(filter.get());
}

/// Private writable memory of this process, as RLIMIT_DATA counts it.
std::uint64_t data_bytes() {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "VmData:" && status >> kibibytes) {
      return kibibytes * KiB;
    }
  }
  return 0;
}

}  // namespace

void confine_to_reading() {
  if (is_sanitized) {
    return;
  }
  if (const int failed = load_filter(); failed != 0) {
    log::debug("no seccomp filter here ({}): the executor could start programs or write files if an image took it over",
               std::strerror(-failed));
  }
}

void limit_growth(std::uint64_t bytes) {
  const std::uint64_t now = data_bytes();
  if (is_sanitized || now == 0) {
    return;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0) {
    return;
  }
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, now + bytes);
  ::setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace pantile
