#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/disk.hpp"
#include "base/error.hpp"

namespace pantile {

void CloseFile::free(Raw fd) noexcept { ::close(fd); }

int open_without_waiting(const std::filesystem::path& path, int flags, unsigned mode) noexcept {
  // O_NONBLOCK: to open a pipe waits for its other end, which may never come.
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode);
  if (fd >= 0 || errno != EWOULDBLOCK) {
    return fd;
  }
  // A lease on a file. What is held here cannot become a pipe while we wait, as the name could; to open it waits for
  // whoever has the lease to be done with it.
  const int held = ::open(path.c_str(), (flags & O_NOFOLLOW) | O_PATH | O_CLOEXEC);
  struct stat facts {};
  int opened = -1;
  int why = EWOULDBLOCK;
  if (held >= 0 && ::fstat(held, &facts) == 0 && S_ISREG(facts.st_mode)) {
    const std::string by_number = "/proc/self/fd/" + std::to_string(held);
    do {
      opened = ::open(by_number.c_str(), (flags & ~(O_NOFOLLOW | O_CREAT | O_EXCL)) | O_CLOEXEC);
      why = errno;
    } while (opened < 0 && why == EINTR);
  }
  ::close(held);
  errno = why;
  return opened;
}

File open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  // What is written is our own file, and not one that somebody laid a link to.
  const int no_follow = (flags & O_ACCMODE) == O_RDONLY ? 0 : O_NOFOLLOW;
  File file{open_without_waiting(path, flags | no_follow, mode)};
  struct stat facts {};
  if (!file && errno == ELOOP && no_follow != 0) {
    throw Error{"cannot write " + path.string() + ": it is a symbolic link, and could lead anywhere"};
  }
  if (!file || ::fstat(file.get(), &facts) != 0) {
    throw system_error("cannot open " + path.string());
  }
  if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
    throw Error{"cannot open " + path.string() + ": it is not a regular file"};
  }
  return file;
}

void expect_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw Error{path.string() + " is missing"};
  }
  if (!std::filesystem::is_regular_file(path)) {
    throw Error{"cannot open " + path.string() + ": it is not a regular file"};
  }
}

void remove_link(const std::filesystem::path& path) noexcept {
  std::error_code ignored;
  if (std::filesystem::is_symlink(path, ignored)) {
    std::filesystem::remove(path, ignored);
  }
}

Bytes read_file(const std::filesystem::path& path, std::uint64_t limit) {
  const File file = open_file(path, O_RDONLY);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) {
    throw system_error("cannot stat " + path.string());
  }
  if (!S_ISREG(facts.st_mode)) {
    throw Error{"cannot read " + path.string() + ": it is not a regular file"};
  }
  if (static_cast<std::uint64_t>(facts.st_size) > limit) {
    throw Error{path.string() + " has " + std::to_string(facts.st_size) + " bytes, more than the " +
                std::to_string(limit) + " allowed"};
  }
  Bytes bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t count = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw system_error("cannot read " + path.string());
    }
    if (count == 0) {
      break;  // It shrank while we read.
    }
    at += static_cast<std::size_t>(count);
  }
  bytes.resize(at);
  return bytes;
}

std::string read_text(const std::filesystem::path& path, std::uint64_t limit) {
  const Bytes bytes = read_file(path, limit);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_all(int fd, std::span<const std::byte> bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw system_error("cannot write " + std::string{what});
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void sync_file(int fd, std::string_view what) {
  if (::fsync(fd) != 0) {
    throw system_error("cannot fsync " + std::string{what});
  }
}

void sync_data(int fd, std::string_view what) {
  if (::fdatasync(fd) != 0) {
    throw system_error("cannot fdatasync " + std::string{what});
  }
}

void sync_folder(const std::filesystem::path& folder) {
  const File file = open_file(folder, O_RDONLY | O_DIRECTORY);
  sync_file(file.get(), folder.string());
}

void replace_file(const std::filesystem::path& path, std::string_view text, Durable durable) {
  replace_file(real_disk(), path, text, durable);
}

}  // namespace pantile
