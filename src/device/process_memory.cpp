#include "device/process_memory.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
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

ResidentNow resident_now() {
  return {.bytes = bytes_behind(rough, "VmRSS:").value_or(0),
          .peak_bytes = bytes_behind(rough, "VmHWM:").value_or(0),
          .shared_bytes = bytes_behind(rough, "RssShmem:").value_or(0)};
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

void keep_heap_small() noexcept {
  constexpr int large_block_bytes = 128 << 10;
  ::mallopt(M_MMAP_THRESHOLD, large_block_bytes);
}

namespace {

/// One mapping of /proc/self/smaps: "7f00-7f10 r-xp 0 08:01 42 /usr/lib/x.so", and lines of facts after it.
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool is_read_only_file = false;
  std::uint64_t changed_kib = 0;  ///< differ from the file, relocations for one: these are not to be had again
};

Mapping parse_mapping(const std::string& range, const std::string& access, std::istringstream& rest) {
  std::string offset;
  std::string device;
  std::string inode;
  std::string path;
  rest >> offset >> device >> inode >> path;
  const std::size_t dash = range.find('-');
  return {.begin = std::stoull(range.substr(0, dash), nullptr, 16),
          .end = std::stoull(range.substr(dash + 1), nullptr, 16),
          .is_read_only_file = access.size() == 4 && access[1] == '-' && access[3] == 'p' && path.starts_with('/')};
}

}  // namespace

CleanPages::CleanPages() noexcept {
  try {
    std::ifstream maps{"/proc/self/smaps"};
    Mapping mapping;
    for (std::string line; std::getline(maps, line);) {
      std::istringstream words{line};
      std::string first;
      std::string second;
      words >> first >> second;
      if (!first.ends_with(':')) {
        mapping = parse_mapping(first, second, words);
      } else if (first == "Anonymous:" || first == "Swap:") {
        mapping.changed_kib += std::stoull(second);
      } else if (first == "VmFlags:" && mapping.is_read_only_file && mapping.changed_kib == 0) {
        ranges_.push_back({mapping.begin, mapping.end});
      }
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): a line that is not understood drops nothing
  }
}

void CleanPages::drop() const noexcept {
  for (const Range& range : ranges_) {
    ::madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_DONTNEED);
  }
}

std::uint64_t unmetered_bytes(const Meter& meter) {
  ::malloc_trim(0);
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t metered = meter.current();
  return resident > metered ? resident - metered : 0;
}

}  // namespace pantile
