#include "device/process_memory.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

namespace {

/// "Word: 123 kB" in a file of /proc; nothing if it is not there.
std::optional<std::uint64_t> bytes_behind(const std::string& file, std::string_view wanted) {
  std::ifstream stream{file};
  for (std::string word; stream >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == wanted && stream >> kibibytes) {
      return kibibytes * KiB;
    }
  }
  return std::nullopt;
}

// smaps_rollup walks the page tables; statm and status show per-CPU counters, wrong by up to 64 pages per core.
constexpr const char* exact = "/proc/self/smaps_rollup";
constexpr const char* rough = "/proc/self/status";

}  // namespace

std::uint64_t resident_bytes() {
  for (const auto& [file, word] : {std::pair{exact, "Rss:"}, std::pair{rough, "VmRSS:"}}) {
    if (const std::optional<std::uint64_t> bytes = bytes_behind(file, word)) {
      return *bytes;
    }
  }
  throw Error{"/proc/self/status does not tell VmRSS (the memory cap is kept with it). Is /proc mounted?"};
}

std::uint64_t private_resident_bytes() {
  const std::uint64_t shared_memory = bytes_behind(rough, "RssShmem:").value_or(0);
  const std::optional<std::uint64_t> clean = bytes_behind(exact, "Private_Clean:");
  const std::optional<std::uint64_t> dirty = bytes_behind(exact, "Private_Dirty:");
  const std::uint64_t all = clean && dirty ? *clean + *dirty : resident_bytes();
  return all - std::min(all, shared_memory);
}

std::uint64_t used_by_processes(std::span<const int> process_ids) {
  std::uint64_t own = 0;
  std::uint64_t shared = 0;
  for (const int id : process_ids) {
    const std::string file = "/proc/" + std::to_string(id) + "/status";
    own += bytes_behind(file, "RssAnon:").value_or(0);
    shared = std::max(shared, bytes_behind(file, "RssShmem:").value_or(0));
  }
  return own + shared;
}

std::uint64_t unmetered_bytes(const Meter& meter) {
  ::malloc_trim(0);
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t metered = meter.current();
  return resident > metered ? resident - metered : 0;
}

}  // namespace pantile
