// Loaded before the program (LD_PRELOAD): in an executor, opening a file whose name holds one of these words does what a
// broken decoder might do. PANTILE_SICK_FROM=BYTES: a device that dies once its tiles take so much memory.
// PANTILE_SPAWNS_FAIL=A-B: the system refuses the A-th to B-th executor. PANTILE_UNKILLABLE: children never end, as those
// that wait for a dead disk. Nothing of the program itself is made for tests.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
  } else if (strstr(name, "kill") != NULL) {
    raise(SIGKILL);
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
