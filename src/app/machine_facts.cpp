#include "app/machine_facts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <variant>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "codec/decode.hpp"
#include "device/cpu.hpp"
#include "device/device_monitor.hpp"
#include "device/nvml.hpp"
#include "run/slurm_job.hpp"

namespace fs = std::filesystem;

namespace pantile::app {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// By the numbers of statfs(2).
std::string kind_of(std::uint64_t magic) {
  static constexpr std::array<std::pair<std::uint64_t, const char*>, 15> kinds{{{0x6969, "nfs"},
                                                                                {0xFF534D42, "smb"},
                                                                                {0xFE534D42, "smb"},
                                                                                {0x0BD00BD0, "lustre"},
                                                                                {0x47504653, "gpfs"},
                                                                                {0x19830326, "beegfs"},
                                                                                {0x00C36400, "ceph"},
                                                                                {0x65735546, "fuse"},
                                                                                {0x01021997, "9p"},
                                                                                {0x01021994, "tmpfs"},
                                                                                {0x794C7630, "overlay"},
                                                                                {0xEF53, "ext4"},
                                                                                {0x58465342, "xfs"},
                                                                                {0x9123683E, "btrfs"},
                                                                                {0x2FC12FC1, "zfs"}}};
  for (const auto& [number, name] : kinds) {
    if (number == magic) {
      return name;
    }
  }
  return fmt::format("file system {:#x}", magic);
}

/// One file in a folder, through all that a run does with its files.
class DiskTrial {
 public:
  explicit DiskTrial(DiskFacts& facts)
      : facts_{facts}, first_{fs::path{facts.tried} / fmt::format(".pantile-doctor-{}", ::getpid())}, second_{first_} {
    second_ += ".renamed";
  }
  ~DiskTrial() {
    ::unlink(first_.c_str());
    ::unlink(second_.c_str());
  }
  DiskTrial(const DiskTrial&) = delete;
  DiskTrial& operator=(const DiskTrial&) = delete;

  void run() {
    const File file{::open(first_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (file.get() < 0) {
      fail("cannot make a file");
      return;
    }
    struct flock whole {};
    whole.l_type = F_WRLCK;
    facts_.locks = ::fcntl(file.get(), F_OFD_SETLK, &whole) == 0;
    if (write(file.get()) && ::rename(first_.c_str(), second_.c_str()) != 0) {
      fail("cannot rename a file");
    }
  }

 private:
  bool write(int fd) {
    const std::string block(MiB, 'p');
    constexpr int blocks = 8;
    const auto begin = std::chrono::steady_clock::now();
    std::chrono::duration<double> took{0};
    int written = 0;
    // A slow disk is known as such after less.
    for (; written < blocks && took < std::chrono::milliseconds{300}; ++written) {
      if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) {
        return fail("cannot write a file");
      }
      if (::fsync(fd) != 0) {
        return fail("cannot sync a file");
      }
      took = std::chrono::steady_clock::now() - begin;
    }
    facts_.bytes_per_s = static_cast<double>(written) * static_cast<double>(MiB) / std::max(took.count(), 1e-6);
    struct stat now {};
    if (::fstat(fd, &now) == 0) {
      facts_.clock_ahead_s = static_cast<double>(now.st_mtim.tv_sec - ::time(nullptr));
    }
    return true;
  }
  bool fail(const char* doing) {
    facts_.failed = fmt::format("{} in {}: {}", doing, facts_.tried, std::strerror(errno));
    return false;
  }

  DiskFacts& facts_;
  fs::path first_;
  fs::path second_;
};

/// Of the machine, or of the control group that leaves the least.
std::uint64_t available_memory() {
  const std::optional<MemorySample> sample = host_monitor()->sample();
  return sample && sample->limit_bytes > sample->used_bytes ? sample->limit_bytes - sample->used_bytes : 0;
}

std::optional<std::uint64_t> limit_of(__rlimit_resource resource) {
  rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY
             ? std::optional<std::uint64_t>{limit.rlim_cur}
             : std::nullopt;
}

}  // namespace

bool is_on_path(const std::string& program) {
  std::istringstream folders{variable("PATH")};
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((fs::path{folder} / program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

CodecFacts codec_facts() {
  try {
    return {open_imgcodecs(), ""};
  } catch (const MissingModule& missing) {
    return {"", missing.what()};
  }
}

Hdf5Facts hdf5_facts() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  Hdf5Facts facts{.version = fmt::format("{}.{}.{}", major, minor, release),
                  .built_against = fmt::format("{}.{}.{}", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE)};
#ifdef H5_HAVE_PARALLEL
  facts.parallel = true;
#endif
  return facts;
}

CpuFacts cpu_facts() {
  return {.device_class = cpu_device_class(),
          .usable = usable_cores(),
          .present = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)),
          .quota = cpu_quota()};
}

MemoryFacts memory_facts() {
  const MemoryLimit limit = host_memory_limit();
  return {.limit = limit.bytes, .source = limit.source, .available = std::min(available_memory(), limit.bytes)};
}

LimitFacts limit_facts() { return {.open_files = limit_of(RLIMIT_NOFILE), .address_space = limit_of(RLIMIT_AS)}; }

SharedMemoryFacts shared_memory_facts() {
  struct statvfs info {};
  if (::statvfs("/dev/shm", &info) != 0) {
    return {};
  }
  return {.there = true, .total = info.f_blocks * info.f_frsize, .free = info.f_bavail * info.f_frsize};
}

GpuFacts gpu_facts() {
  GpuFacts facts;
  if (const auto opened = Nvml::open(); const auto* const nvml = std::get_if<std::shared_ptr<Nvml>>(&opened)) {
    for (const NvmlDevice& device : (*nvml)->devices()) {
      const auto monitor = (*nvml)->monitor(device.uuid);
      const auto sample = monitor != nullptr ? monitor->sample() : std::nullopt;
      const std::uint64_t used = sample ? sample->used_bytes : 0;
      facts.devices.push_back(
          {device.name, device.total_bytes, device.total_bytes - std::min(device.total_bytes, used)});
    }
  }
  for (const char* const device : {"/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"}) {
    if (facts.driver.empty() && ::access(device, F_OK) == 0) {
      facts.driver = device;
    }
  }
  return facts;
}

SlurmFacts slurm_facts() {
  return {.commands = is_on_path("srun"),
          .job = slurm_job_name(),
          .tasks = variable("SLURM_NTASKS"),
          .fence = variable("SLURM_PMIX_FENCE")};
}

PlaceFacts place_facts() {
  PlaceFacts facts;
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    facts.locale = facts.locale.empty() ? variable(name) : facts.locale;
  }
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  facts.year = utc.tm_year + 1900;
  const std::string chosen = variable("TMPDIR");
  facts.temporary = chosen.empty() ? "/tmp" : chosen;
  facts.temporary_works = ::access(facts.temporary.c_str(), W_OK | X_OK) == 0;
  return facts;
}

DiskFacts disk_facts(const fs::path& folder, const std::string& shown) {
  fs::path there = fs::absolute(folder).lexically_normal();
  std::error_code error;
  while (!fs::is_directory(there, error) && there.has_relative_path()) {
    there = there.parent_path();
  }
  DiskFacts facts;
  facts.path = shown;
  facts.tried = there.string();
  struct statvfs space {};
  if (::statvfs(there.c_str(), &space) == 0) {
    facts.total = space.f_blocks * space.f_frsize;
    facts.free = space.f_bavail * space.f_frsize;
    // btrfs and others make inodes as they go, and say 0 of 0.
    facts.free_files = space.f_files == 0 ? std::nullopt : std::optional<std::uint64_t>{space.f_favail};
  }
  struct statfs system {};
  if (::statfs(there.c_str(), &system) == 0) {
    facts.kind = kind_of(static_cast<std::uint32_t>(system.f_type));
  }
  DiskTrial{facts}.run();
  return facts;
}

}  // namespace pantile::app
