#include "base/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

#include "base/error.hpp"

namespace pantile {
namespace {

int flags_of(Access access) {
  switch (access) {
    case Access::read: return O_RDONLY;
    case Access::change: return O_RDWR;
    case Access::create: return O_RDWR | O_CREAT;
    case Access::replace: return O_RDWR | O_CREAT | O_TRUNC;
  }
  expect(false, "a file is opened in one of four ways");
  return O_RDONLY;
}

class RealFile final : public DiskFile {
 public:
  RealFile(const std::filesystem::path& path, Access access)
      : file_{open_file(path, flags_of(access))}, name_{path.string()} {}

  std::uint64_t size() override {
    struct stat facts {};
    if (::fstat(file_.get(), &facts) != 0) {
      throw system_error("cannot stat " + name_);
    }
    return static_cast<std::uint64_t>(facts.st_size);
  }

  std::size_t read(std::uint64_t at, std::span<std::byte> bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count =
          ::pread(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        throw system_error("cannot read " + name_);
      }
      if (count == 0) {
        break;
      }
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  void write(std::uint64_t at, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        throw system_error("cannot write " + name_);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      at += static_cast<std::uint64_t>(count);
    }
  }

  void resize(std::uint64_t bytes) override {
    if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) {
      throw system_error("cannot change the size of " + name_);
    }
  }

  bool reserve(std::uint64_t at, std::uint64_t bytes) override {
    // Not posix_fallocate(): where the file system cannot do it, that one writes into each block.
    if (::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at), static_cast<off_t>(bytes)) == 0) {
      return true;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
      return false;
    }
    throw system_error("cannot take room for " + name_);
  }

  void sync() override { sync_file(file_.get(), name_); }
  void sync_data() override { pantile::sync_data(file_.get(), name_); }

 private:
  File file_;
  std::string name_;
};

class RealDisk final : public Disk {
 public:
  std::unique_ptr<DiskFile> open(const std::filesystem::path& path, Access access) override {
    return std::make_unique<RealFile>(path, access);
  }

  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      throw system_error("cannot rename " + from.string() + " to " + to.string());
    }
  }

  void remove(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      throw system_error("cannot remove " + path.string());
    }
  }

  void sync_folder(const std::filesystem::path& folder) override { pantile::sync_folder(folder); }

  void make_folder(const std::filesystem::path& folder) override {
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
      throw system_error("cannot make the folder " + folder.string());
    }
  }

  std::vector<std::string> list(const std::filesystem::path& folder) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry{folder, error};
    for (; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) {
      throw system_error("cannot list " + folder.string(), error.value());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  bool exists(const std::filesystem::path& path) override {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) {
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
      return false;
    }
    throw system_error("cannot stat " + path.string());
  }

  std::uint64_t free_bytes(const std::filesystem::path& folder) override {
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) {
      throw system_error("cannot ask for the free space of " + folder.string());
    }
    return std::uint64_t{facts.f_bavail} * facts.f_frsize;
  }
};

}  // namespace

Disk& real_disk() noexcept {
  static RealDisk disk;
  return disk;
}

Bytes read_file(Disk& disk, const std::filesystem::path& path) {
  const std::unique_ptr<DiskFile> file = disk.open(path, Access::read);
  try {
    Bytes bytes(static_cast<std::size_t>(file->size()));
    bytes.resize(file->read(0, bytes));
    return bytes;
  } catch (const std::bad_alloc&) {
    throw Error{path.string() + " has " + std::to_string(file->size()) + " bytes, for which there is no memory"};
  }
}

void replace_file(Disk& disk, const std::filesystem::path& path, std::string_view text, Durable durable) {
  std::filesystem::path temporary = path;
  temporary += ".tmp-" + std::to_string(::getpid());
  try {
    const std::unique_ptr<DiskFile> file = disk.open(temporary, Access::replace);
    file->write(0, std::as_bytes(std::span{text}));
    if (durable == Durable::yes) {
      file->sync();
    }
    disk.rename(temporary, path);
  } catch (...) {
    try_to_remove(disk, temporary);
    throw;
  }
  if (durable == Durable::yes) {
    disk.sync_folder(folder_of(path));
  }
}

void publish(Disk& disk, DiskFile& file, const std::filesystem::path& from, const std::filesystem::path& to) {
  file.sync();
  disk.rename(from, to);
  disk.sync_folder(folder_of(to));
}

void try_to_remove(Disk& disk, const std::filesystem::path& path) noexcept {
  try {
    disk.remove(path);
  } catch (const std::exception&) {
    return;
  }
}

std::filesystem::path numbered(Disk& disk, const std::filesystem::path& path, std::string_view word) {
  for (int n = 1;; ++n) {
    std::filesystem::path candidate = path;
    candidate += "." + std::string{word} + "-" + std::to_string(n);
    if (!disk.exists(candidate)) {
      return candidate;
    }
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
}

}  // namespace pantile
