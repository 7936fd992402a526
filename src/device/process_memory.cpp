#include "device/process_memory.hpp"

#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::uint64_t resident_bytes() {
  // smaps_rollup walks the page tables; statm and status show per-CPU counters, wrong by up to 64 pages per core.
  for (const char* file : {"/proc/self/smaps_rollup", "/proc/self/status"}) {
    std::ifstream stream{file};
    for (std::string word; stream >> word;) {
      std::uint64_t kibibytes = 0;
      if ((word == "Rss:" || word == "VmRSS:") && stream >> kibibytes) {
        return kibibytes * KiB;
      }
    }
  }
  throw Error{"/proc/self/status does not tell VmRSS (the memory cap is kept with it). Is /proc mounted?"};
}

std::uint64_t unmetered_bytes(const Meter& meter) {
  ::malloc_trim(0);
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t metered = meter.current();
  return resident > metered ? resident - metered : 0;
}

}  // namespace pantile
