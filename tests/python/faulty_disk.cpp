// A library for LD_PRELOAD: calls of a program that change something below one folder fail, or are slow.
//
//     FAULT_BELOW=out       which files: their path contains this
//     FAULT_COUNTER=file    eight bytes that all processes count in, so that the n-th call is the n-th of all of them
//     FAULT_CALL=n          the first call that fails; the first of all is 0
//     FAULT_FOR_GOOD=1      all calls after it fail too
//     FAULT_WHILE=file      only as long as this file is there
//     FAULT_ERRNO=28        with what; 0: with nothing
//     FAULT_SLEEP_MS=20     each call takes so much longer
//     FAULT_RANK=2          only in this rank of mpirun

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

long number(const char* name, long otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atol(text);
}

struct Setting {
  const char* below = std::getenv("FAULT_BELOW");
  const char* only_while = std::getenv("FAULT_WHILE");
  long call = number("FAULT_CALL", -1);
  bool for_good = number("FAULT_FOR_GOOD", 0) != 0;
  int error = static_cast<int>(number("FAULT_ERRNO", 0));
  long sleep_ms = number("FAULT_SLEEP_MS", 0);
  std::atomic<std::uint64_t>* counter = nullptr;

  Setting() {
    const char* const rank = std::getenv("OMPI_COMM_WORLD_RANK");
    if (number("FAULT_RANK", -1) >= 0 && (rank == nullptr || std::atol(rank) != number("FAULT_RANK", -1))) {
      below = nullptr;
    }
    if (const char* const file = std::getenv("FAULT_COUNTER")) {
      const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, O_RDWR));
      void* const memory = fd < 0 ? MAP_FAILED : ::mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      counter = memory == MAP_FAILED ? nullptr : static_cast<std::atomic<std::uint64_t>*>(memory);
    }
  }
};

const Setting& setting() {
  static const Setting once;
  return once;
}

/// True if this call is to fail; errno is set then.
bool fails(const char* path) {
  const Setting& set = setting();
  if (set.below == nullptr || path == nullptr || std::strstr(path, set.below) == nullptr) {
    return false;
  }
  if (set.sleep_ms > 0) {
    const timespec time{set.sleep_ms / 1000, set.sleep_ms % 1000 * 1'000'000};
    ::nanosleep(&time, nullptr);
  }
  const long call = set.counter == nullptr ? 0 : static_cast<long>(set.counter->fetch_add(1));
  const bool is_due = set.call >= 0 && (call == set.call || (set.for_good && call > set.call));
  if (set.error == 0 || !is_due || (set.only_while != nullptr && ::access(set.only_while, F_OK) != 0)) {
    return false;
  }
  errno = set.error;
  return true;
}

bool fails(int fd) {
  if (setting().below == nullptr) {
    return false;
  }
  const int before = errno;
  std::array<char, 64> link{};
  std::array<char, 4096> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const bool known = ::readlink(link.data(), path.data(), path.size() - 1) > 0;
  errno = before;
  return known && fails(path.data());
}

template <class Open>
int open_with(Open* open, const char* path, int flags, va_list arguments) {
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  return (flags & (O_CREAT | O_TRUNC)) != 0 && fails(path) ? -1 : open(path, flags, mode);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  static auto* const real = next<int(const char*, int, ...)>("open");
  const int fd = open_with(real, path, flags, arguments);
  va_end(arguments);
  return fd;
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  static auto* const real = next<int(const char*, int, ...)>("open64");
  const int fd = open_with(real, path, flags, arguments);
  va_end(arguments);
  return fd;
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  return fails(fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return fails(fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  return fails(fd) ? -1 : real(fd, data, size, at);
}

int fsync(int fd) {
  static auto* const real = next<int(int)>("fsync");
  return fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  static auto* const real = next<int(int)>("fdatasync");
  return fails(fd) ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  return fails(fd) ? -1 : real(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
  static auto* const real = next<int(int, int, off_t, off_t)>("fallocate");
  return fails(fd) ? -1 : real(fd, mode, at, size);
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return fails(to) ? -1 : real(from, to);
}

}  // extern "C"
