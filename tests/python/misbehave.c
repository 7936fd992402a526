// Loaded before the program (LD_PRELOAD): in an executor, opening a file whose name holds one of these words does what a
// broken decoder might do. PANTILE_SICK_FROM=BYTES: a device that dies once its tiles take so much memory.
// PANTILE_SPAWNS_FAIL=A-B: the system refuses the A-th to B-th executor. PANTILE_UNKILLABLE: children never end, as those
// that wait for a dead disk. Nothing of the program itself is made for tests.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_executor(void) {
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  if (strcmp(name, "pantile-exec") == 0) {
    return 1;
  }
  // Threads that were started before the process took its name have that of the program.
  FILE* comm = fopen("/proc/self/comm", "r");
  if (comm != NULL) {
    if (fgets(name, sizeof name, comm) == NULL) {
      name[0] = '\0';
    }
    fclose(comm);
  }
  return strncmp(name, "pantile-exec", 12) == 0;
}

static void eat(void) {
  unsigned long mebibytes = 0;
  for (;;) {
    char* const food = malloc(1 << 20);
    if (food == NULL) {
      fprintf(stderr, "ate %lu MiB\n", mebibytes);
      abort();
    }
    memset(food, 1, 1 << 20);
    ++mebibytes;
  }
}

// One line a call: "NAME: what came of it", where 0 is what must not be.
static void tell(const char* name, long result) {
  fprintf(stderr, "tried %s: %s\n", name, result < 0 ? strerror(errno) : "done");
}

// What a decoder that was taken over might try beside starting programs, each refused by the filter and survived.
static void try_all(const char* path) {
  const int image = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
  tell("kill of the rank", kill(getppid(), 0));
  tell("tgkill of the rank", syscall(SYS_tgkill, getppid(), getppid(), 0));
  tell("signal by pidfd", syscall(SYS_pidfd_open, getppid(), 0));
  // Signals to who owns a file that has news; what has more than 32 bits reaches the kernel as the rest of it.
  tell("owner of a file", fcntl(image, F_SETOWN, getppid()));
  tell("owner with high bits", syscall(SYS_fcntl, image, (unsigned long)F_SETOWN | (1UL << 40), getppid()));
  tell("owner of a file, as a thread", fcntl(image, F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, getppid()}));
  tell("signal of a file", fcntl(image, F_SETSIG, SIGKILL));
  tell("owner of a socket", ioctl(3, FIOSETOWN, &(int){getppid()}));
  tell("group of a socket", ioctl(3, SIOCSPGRP, &(int){getppid()}));
  tell("news of a queue", syscall(SYS_mq_notify, 0, NULL));
  tell("foreground of a terminal", ioctl(0, TIOCSPGRP, &(int){0}));
  tell("lease of a file", fcntl(image, F_SETLEASE, F_RDLCK));
  tell("limits of the rank", syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, NULL));
  tell("priority of the rank", setpriority(PRIO_PROCESS, getppid(), 0));
  tell("priority of a user", setpriority(PRIO_USER, 0, 0));
  tell("disk priority of the rank", syscall(SYS_ioprio_set, 1, getppid(), 0));
  tell("disk priority of a user", syscall(SYS_ioprio_set, 3, 0, 0));
  cpu_set_t processors;
  sched_getaffinity(getppid(), sizeof processors, &processors);
  tell("processors of the rank", sched_setaffinity(getppid(), sizeof processors, &processors));
  tell("scheduler of the rank", sched_setscheduler(getppid(), SCHED_OTHER, &(struct sched_param){0}));
  tell("pages of the rank", syscall(SYS_move_pages, getppid(), 0, NULL, NULL, NULL, 0));
  tell("outliving the rank", prctl(PR_SET_PDEATHSIG, 0));
  tell("outliving with high bits", syscall(SYS_prctl, PR_SET_PDEATHSIG | (1UL << 40), 0));
  tell("breaking a page", madvise(NULL, 0, MADV_HWPOISON));
  tell("cutting the arena", ftruncate(4, 0));
  tell("growing the arena", fallocate(4, 0, 0, 1 << 20));
  tell("chmod", chmod(path, 0777));
  tell("fchmod", fchmod(image, 0777));
  tell("fchown", fchown(image, 1, 1));
  tell("setxattr", syscall(SYS_fsetxattr, image, "user.x", "y", 1, 0));
  tell("utimensat", utimensat(AT_FDCWD, path, NULL, 0));
  // By number, as libc has them not: fchmodat2, setxattrat, removexattrat, file_setattr, quotactl_fd, open_tree_attr.
  tell("call 452", syscall(452, AT_FDCWD, path, 0777, 0));
  tell("call 463", syscall(463, AT_FDCWD, path, 0, "user.x", (unsigned long[]){(unsigned long)"y", 1}, 16));
  tell("call 466", syscall(466, AT_FDCWD, path, 0, "user.x"));
  tell("call 469", syscall(469, AT_FDCWD, path, (unsigned long[3]){0}, 24, 0));
  tell("call 443", syscall(443, -1, 0, 0, NULL));
  tell("call 467", syscall(467, -1, "", 0, NULL, 0));
  tell("version of a file", ioctl(image, FS_IOC_SETVERSION, &(long){1}));
  tell("project of a file", ioctl(image, FS_IOC_FSSETXATTR, &(struct fsxattr){0}));
  tell("sealing a file", ioctl(image, FS_IOC_ENABLE_VERITY, NULL));
  tell("freezing a disk", ioctl(image, FITHAW, 0));
  tell("deleting a volume", ioctl(image, BTRFS_IOC_SNAP_DESTROY, NULL));
  tell("partitions of a disk", ioctl(image, BLKRRPART, 0));
  tell("a network", ioctl(3, SIOCSIFFLAGS, NULL));
  tell("file flags", ioctl(image, FS_IOC_SETFLAGS, &(int){0}));
  tell("keys of a terminal", ioctl(0, TIOCSTI, "x"));
  tell("keys with high bits", syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI | (1UL << 40), "x"));
  tell("link", link(path, "bad-link"));
  tell("rename", rename(path, "bad-renamed"));
  tell("unlink", unlink(path));
  tell("append", (long)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND));
  tell("temporary file", (long)syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600));
  tell("openat2", syscall(SYS_openat2, AT_FDCWD, path, NULL, 0));
  tell("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
  tell("clone3", syscall(SYS_clone3, NULL, 0));
  tell("setuid", syscall(SYS_setuid, 0));
  tell("chroot", chroot("/"));
  tell("mount", syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL));
  tell("unshare", unshare(0));
  tell("bpf", syscall(SYS_bpf, 0, NULL, 0));
  tell("keyrings", syscall(SYS_keyctl, 0, 0));
  tell("shared memory of System V", syscall(SYS_shmget, 0, 4096, 0600));
  tell("memory of others", shmat(-1, NULL, 0) == (void*)-1 ? -1 : 0);
  tell("semaphores of others", semop(-1, &(struct sembuf){0}, 1));
  tell("semaphores of others, timed", semtimedop(-1, &(struct sembuf){0}, 1, NULL));
  tell("message to others", msgsnd(-1, &(long[2]){1}, 8, IPC_NOWAIT));
  tell("message of others", msgrcv(-1, &(long[2]){1}, 8, 0, IPC_NOWAIT));
  tell("sending to a queue", syscall(SYS_mq_timedsend, -1, "x", 1, 0, NULL));
  tell("taking from a queue", syscall(SYS_mq_timedreceive, -1, path, 0, NULL, NULL));
  tell("hanging a terminal up", vhangup());
  tell("message queue", syscall(SYS_mq_open, "x", O_RDONLY, 0, NULL));
  syscall(SYS_close, image);
}

// What is said to the rank, on the executor's end of their link: a length, then a type and its fields.
static void say(const void* message, unsigned length) {
  char bytes[256];
  memcpy(bytes, &length, sizeof length);
  memcpy(bytes + sizeof length, message, length);
  send(3, bytes, sizeof length + length, MSG_NOSIGNAL);
}

static void say_long(void) {
  static char nothing[1 << 16];
  const unsigned length = 0xFFFFFFFF;
  long all = send(3, &length, sizeof length, MSG_NOSIGNAL);
  while (all < (1L << 30)) {
    const long sent = send(3, nothing, sizeof nothing, MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    all += sent;
  }
}

static void misbehave(const char* path) {
  const char* const slash = strrchr(path, '/');
  const char* const name = slash != NULL ? slash + 1 : path;
  if (strstr(name, "bad-") != name || !in_executor()) {
    return;
  }
  if (strstr(name, "crash") != NULL) {
    raise(SIGSEGV);
  } else if (strstr(name, "abort") != NULL) {
    fprintf(stderr, "a decoder's last words\n");
    abort();
  } else if (strstr(name, "exit") != NULL) {
    _exit(7);
  } else if (strstr(name, "hang") != NULL) {
    for (;;) {
      pause();
    }
  } else if (strstr(name, "eat") != NULL) {
    eat();
  } else if (strstr(name, "garbage") != NULL) {
    say("\xEE\xEE\xEE\xEE", 4);
  } else if (strstr(name, "flood") != NULL) {
    say_long();
  } else if (strstr(name, "stale") != NULL) {
    say("\x07\xFF\xFF\xFF\xFF\0\0\0", 9);  // BlockBegins, of a block that nobody asked for
  } else if (strstr(name, "chatter") != NULL) {
    for (;;) {
      say("\x05\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 25);  // ExecutorBeat
    }
  } else if (strstr(name, "kill") != NULL) {
    raise(SIGKILL);
  } else if (strstr(name, "tries") != NULL) {
    try_all(path);
  } else if (strstr(name, "fork") != NULL) {
    fork();
  } else if (strstr(name, "clone") != NULL) {
    syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  } else if (strstr(name, "memfd") != NULL) {
    syscall(SYS_execveat, memfd_create("x", 0), "", NULL, NULL, AT_EMPTY_PATH);
#ifdef __x86_64__
  } else if (strstr(name, "x32") != NULL) {
    syscall(0x40000000 | SYS_getpid);
  } else if (strstr(name, "int80") != NULL) {
    long result = 20;  // getpid of 32-bit programs
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#endif
  } else if (strstr(name, "exec") != NULL) {
    execl("/bin/true", "true", (char*)NULL);
  } else if (strstr(name, "connect") != NULL) {
    socket(AF_INET, SOCK_STREAM, 0);
  } else if (strstr(name, "write") != NULL) {
    char target[4096];
    snprintf(target, sizeof target, "%s.written", path);
    const int fd = creat(target, 0644);
    fprintf(stderr, "creating a file: %s\n", fd >= 0 ? "done" : strerror(errno));
  }
}

#define OPEN(name)                                                                                    \
  int name(const char* path, int flags, ...) {                                                        \
    va_list rest;                                                                                     \
    va_start(rest, flags);                                                                            \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;              \
    va_end(rest);                                                                                     \
    misbehave(path);                                                                                  \
    int (*const real)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name); \
    return real(path, flags, mode);                                                                   \
  }
int mprotect(void* begin, size_t bytes, int rights) {
  const char* const limit = getenv("PANTILE_SICK_FROM");
  static atomic_long taken = 0;
  taken += (rights & PROT_WRITE) != 0 ? (long)bytes : -(long)bytes;
  if (limit != NULL && taken >= strtol(limit, NULL, 10) && in_executor()) {
    raise(SIGSEGV);
  }
  int (*const real)(void*, size_t, int) = (int (*)(void*, size_t, int))dlsym(RTLD_NEXT, "mprotect");
  return real(begin, bytes, rights);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes,
                char* const arguments[], char* const variables[]) {
  static int count = 0;
  int first = 0;
  int last = 0;
  const char* const fail = getenv("PANTILE_SPAWNS_FAIL");
  ++count;
  if (fail != NULL && sscanf(fail, "%d-%d", &first, &last) == 2 && first <= count && count <= last) {
    return EAGAIN;
  }
  int (*const real)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const[], char* const[]) =
      (int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const[],
               char* const[]))dlsym(RTLD_NEXT, "posix_spawn");
  return real(pid, path, actions, attributes, arguments, variables);
}

OPEN(open)
OPEN(open64)

pid_t waitpid(pid_t pid, int* status, int options) {
  pid_t (*const real)(pid_t, int*, int) = (pid_t (*)(pid_t, int*, int))dlsym(RTLD_NEXT, "waitpid");
  if (getenv("PANTILE_UNKILLABLE") == NULL) {
    return real(pid, status, options);
  }
  while ((options & WNOHANG) == 0) {
    pause();
  }
  return 0;
}
