#include "run/confinement.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): siginfo_t
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

/// System calls that are younger than the libseccomp of many systems, which then has no names for them. They have these
/// numbers on every machine.
enum YoungCall {
  quotactl_fd = 443,
  fchmodat2 = 452,
  setxattrat = 463,
  removexattrat = 466,
  open_tree_attr = 467,
  file_setattr = 469
};

// What the kernel takes as an int: it does not see the high half of the register, so that half must not hide a value.
constexpr scmp_datum_t as_int = 0xFFFF'FFFFU;

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

/// Starting programs, talking to others, looking into other processes. Ends the process.
void forbid_others(Rules& rules) {
  for (const int call :
       {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(socket), SCMP_SYS(socketpair),
        SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)}) {
    rules.add(SCMP_ACT_TRAP, call);
  }
  // Threads are welcome, and nothing else is. clone3 hides its flags in memory: libc falls back to clone.
  rules.add(SCMP_ACT_TRAP, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  rules.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  // Signals to itself only: abort() sends one.
  const auto self = static_cast<scmp_datum_t>(::getpid());
  for (const int call : {SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call, SCMP_A0(SCMP_CMP_NE, self, 0));
  }
  // Nor by way of a file that has news for its owner, nor of a queue that has.
  for (const std::uint32_t command : {F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETLEASE}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_MASKED_EQ, as_int, command));
  }
  // It ends with its rank, and asks for nothing else.
  rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_MASKED_EQ, as_int, PR_SET_PDEATHSIG));
  // Limits, processors and priorities: its own only. 0 is the thread that asks.
  for (const int call :
       {SCMP_SYS(prlimit64), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
        SCMP_SYS(sched_setattr), SCMP_SYS(migrate_pages), SCMP_SYS(move_pages)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call, SCMP_A0(SCMP_CMP_NE, 0, 0));
  }
  constexpr scmp_datum_t ioprio_who_process = 1;
  for (const auto& [call, of_process] : {std::pair{SCMP_SYS(setpriority), scmp_datum_t{PRIO_PROCESS}},
                                         std::pair{SCMP_SYS(ioprio_set), ioprio_who_process}}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call, SCMP_A0(SCMP_CMP_NE, of_process, 0));
    rules.add(SCMP_ACT_ERRNO(EPERM), call, SCMP_A1(SCMP_CMP_NE, 0, 0));
  }
}

/// Commands of ioctl, of which there is no end: drivers of GPUs need theirs. Refused are those of file systems and
/// disks (they change what is open for reading) and of networks (any socket takes them), and what sends keys or signals
/// through a terminal.
void forbid_commands(Rules& rules) {
  // A command has 32 bits, its kind the second 8 of them: ext4, btrfs and fscrypt; xfs, freezing; versions; vfat;
  // btrfs; disks; sockets, with the owner of their signals.
  for (const scmp_datum_t kind : {0x66, 0x58, 0x76, 0x72, 0x94, 0x12, 0x89}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xFF00U, kind << 8U));
  }
  for (const scmp_datum_t command : {TIOCSTI, TIOCLINUX, TIOCSPGRP, TIOCSCTTY, TIOCVHANGUP, TIOCSWINSZ}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, as_int, command));
  }
}

/// Changing files, by name or by a descriptor that is open for reading.
void forbid_changes(Rules& rules) {
  // A ring makes system calls that no filter sees; openat2 hides its flags in memory. libc falls back.
  for (const int call :
       {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(openat2)}) {
    rules.add(SCMP_ACT_ERRNO(ENOSYS), call);
  }
  for (const std::uint32_t mode : {std::uint32_t{O_WRONLY}, std::uint32_t{O_RDWR}}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
  }
  for (const std::uint32_t flag : {std::uint32_t{O_CREAT}, std::uint32_t{O_TRUNC}}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag));
    rules.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  for (const int call :
       {SCMP_SYS(creat),        SCMP_SYS(truncate),  SCMP_SYS(ftruncate), SCMP_SYS(fallocate),   SCMP_SYS(unlink),
        SCMP_SYS(unlinkat),     SCMP_SYS(rename),    SCMP_SYS(renameat),  SCMP_SYS(renameat2),   SCMP_SYS(mkdir),
        SCMP_SYS(mkdirat),      SCMP_SYS(rmdir),     SCMP_SYS(link),      SCMP_SYS(linkat),      SCMP_SYS(symlink),
        SCMP_SYS(symlinkat),    SCMP_SYS(chmod),     SCMP_SYS(fchmod),    SCMP_SYS(fchmodat),    SCMP_SYS(chown),
        SCMP_SYS(fchown),       SCMP_SYS(lchown),    SCMP_SYS(fchownat),  SCMP_SYS(mknod),       SCMP_SYS(mknodat),
        SCMP_SYS(setxattr),     SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr),
        SCMP_SYS(fremovexattr), SCMP_SYS(utime),     SCMP_SYS(utimes),    SCMP_SYS(futimesat),   SCMP_SYS(utimensat)}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), call);
  }
  for (const int call : {fchmodat2, setxattrat, removexattrat, file_setattr}) {
    rules.add(SCMP_ACT_ERRNO(EACCES), call);
  }
}

/// What processes share beside files: memory, semaphores and queues.
void forbid_sharing(Rules& rules) {
  for (const int call :
       {SCMP_SYS(shmget), SCMP_SYS(shmctl), SCMP_SYS(semget), SCMP_SYS(semctl), SCMP_SYS(msgget), SCMP_SYS(msgctl),
        SCMP_SYS(shmat), SCMP_SYS(semop), SCMP_SYS(semtimedop), SCMP_SYS(msgsnd), SCMP_SYS(msgrcv), SCMP_SYS(mq_open),
        SCMP_SYS(mq_unlink), SCMP_SYS(mq_notify), SCMP_SYS(mq_timedsend), SCMP_SYS(mq_timedreceive)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call);
  }
}

/// What only root may do, mostly: an executor may be root's.
void forbid_rule(Rules& rules) {
  // Users, rights, mounts, namespaces.
  for (const int call :
       {SCMP_SYS(setuid),     SCMP_SYS(setgid),     SCMP_SYS(setreuid),      SCMP_SYS(setregid),
        SCMP_SYS(setresuid),  SCMP_SYS(setresgid),  SCMP_SYS(setfsuid),      SCMP_SYS(setfsgid),
        SCMP_SYS(setgroups),  SCMP_SYS(capset),     SCMP_SYS(mount),         SCMP_SYS(umount2),
        SCMP_SYS(pivot_root), SCMP_SYS(chroot),     SCMP_SYS(unshare),       SCMP_SYS(setns),
        SCMP_SYS(open_tree),  SCMP_SYS(move_mount), SCMP_SYS(fsopen),        SCMP_SYS(fspick),
        SCMP_SYS(fsmount),    SCMP_SYS(fsconfig),   SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call);
  }
  // The machine.
  for (const int call :
       {SCMP_SYS(bpf),           SCMP_SYS(kexec_load),      SCMP_SYS(init_module), SCMP_SYS(finit_module),
        SCMP_SYS(delete_module), SCMP_SYS(reboot),          SCMP_SYS(swapon),      SCMP_SYS(swapoff),
        SCMP_SYS(settimeofday),  SCMP_SYS(clock_settime),   SCMP_SYS(adjtimex),    SCMP_SYS(clock_adjtime),
        SCMP_SYS(sethostname),   SCMP_SYS(setdomainname),   SCMP_SYS(acct),        SCMP_SYS(quotactl),
        SCMP_SYS(syslog),        SCMP_SYS(add_key),         SCMP_SYS(request_key), SCMP_SYS(keyctl),
        SCMP_SYS(fanotify_init), SCMP_SYS(kexec_file_load), SCMP_SYS(vhangup),     SCMP_SYS(ioperm),
        SCMP_SYS(iopl)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call);
  }
  // Other processes, by way of their descriptors and numbers.
  for (const int call : {SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
                         SCMP_SYS(pidfd_send_signal), SCMP_SYS(tkill), SCMP_SYS(process_madvise)}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call);
  }
  for (const int call : {quotactl_fd, open_tree_attr}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), call);
  }
  // Pages given up as broken: shared ones under the rank as well.
  constexpr int madv_soft_offline = 101;  // <asm-generic/mman-common.h>: libc has no name for it
  for (const scmp_datum_t advice : {MADV_HWPOISON, madv_soft_offline}) {
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(madvise), SCMP_A2(SCMP_CMP_MASKED_EQ, as_int, advice));
  }
}

/// 0, or why the filter is not in force (negative errno).
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
  forbid_others(rules);
  forbid_changes(rules);
  forbid_commands(rules);
  forbid_sharing(rules);
  forbid_rule(rules);
  if (rules.error() != 0) {
    return rules.error();
  }
  // System calls of another kind of program than ours (32 bits, x32) are not in these lists. The default would end one
  // thread only, and leave the others waiting for it.
  for (const auto& [attribute, value] : {std::pair{SCMP_FLTATR_ACT_BADARCH, std::uint32_t{SCMP_ACT_KILL_PROCESS}},
                                         std::pair{SCMP_FLTATR_CTL_TSYNC, std::uint32_t{1}}}) {
    if (const int failed = ::seccomp_attr_set(filter.get(), attribute, value); failed != 0) {
      return failed;
    }
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

std::string why_not_confined() {
  if (is_sanitized) {
    return "this program was built with a sanitizer";
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(std::min(-load_filter(), 255));
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return "a process to try it in could not be had";
  }
  return WEXITSTATUS(status) == 0 ? std::string{} : std::strerror(WEXITSTATUS(status));
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
