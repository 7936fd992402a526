#include "codec/byte_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace pantile {

FileReader::FileReader(const std::filesystem::path& path) : file_{open_file(path, O_RDONLY)} {
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) {
    throw system_error("cannot find the size of " + path.string());
  }
  bytes_ = static_cast<std::uint64_t>(facts.st_size);
}

std::size_t FileReader::read_at(std::uint64_t at, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t some = ::pread(file_.get(), into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (some < 0 && errno == EINTR) {
      continue;
    }
    if (some < 0) {
      throw system_error("cannot read it");
    }
    if (some == 0) {
      break;
    }
    done += static_cast<std::size_t>(some);
  }
  return done;
}

}  // namespace pantile
