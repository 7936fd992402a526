#include "store/file_hash.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/wire.hpp"

namespace pantile {

FileHash hash_file(int fd, std::string_view name, const std::function<void(std::uint64_t)>& progress) {
  Hasher hasher;
  Bytes buffer(MiB);
  std::uint64_t bytes = 0;
  for (;;) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(bytes));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw system_error("cannot read " + std::string{name});
    }
    if (count == 0) {
      return {hasher.digest(), bytes};
    }
    hasher.update(std::span{buffer}.first(static_cast<std::size_t>(count)));
    bytes += static_cast<std::uint64_t>(count);
    if (progress) {
      progress(static_cast<std::uint64_t>(count));
    }
  }
}

FileHash hash_file(DiskFile& file, const std::function<void(std::uint64_t)>& progress, std::uint64_t limit) {
  Hasher hasher;
  Bytes buffer(std::clamp<std::uint64_t>(file.size(), 1, MiB));
  std::uint64_t bytes = 0;
  const auto room = [&] { return std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), limit - bytes)); };
  while (const std::size_t count = file.read(bytes, room())) {
    hasher.update(std::span{buffer}.first(count));
    bytes += count;
    if (progress) {
      progress(count);
    }
  }
  return {hasher.digest(), bytes};
}

FileHash hash_of(const std::filesystem::path& path, std::uint64_t limit) {
  return std::filesystem::exists(path) ? hash_file(*real_disk().open(path, Access::read), {}, limit) : FileHash{};
}

}  // namespace pantile
