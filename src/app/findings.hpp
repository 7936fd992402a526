#pragma once
// What `pantile doctor` says of what it saw. Seeing (machine_facts.hpp, job_facts.hpp) is apart from judging, which is
// pure: the tests judge machines that nobody has.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pantile::app {

enum class Severity {
  ok,
  note,     ///< good to know
  warning,  ///< works, but not as it could, or not for long
  problem   ///< a run would fail
};
/// "ok", "note", "warning", "problem".
[[nodiscard]] std::string name(Severity severity);

struct Finding {
  Severity severity = Severity::ok;
  std::string check;  ///< one word: "disk"
  std::string found;
  std::string why;      ///< it matters; empty where all is well
  std::string attempt;  ///< what to try
};

struct EngineFacts {
  std::string version;  ///< empty: it does not open
  std::string library;
  std::string error;
};
[[nodiscard]] Finding judge(const EngineFacts& engine);

/// Of libpantile_imgcodecs.so.
struct CodecFacts {
  std::string path;
  std::string error;  ///< empty: it opens
};
[[nodiscard]] Finding judge(const CodecFacts& codecs);

struct Hdf5Facts {
  std::string version;
  std::string built_against;
  bool parallel = false;  ///< the build for MPI-IO
};
[[nodiscard]] Finding judge(const Hdf5Facts& hdf5);

struct MpiFacts {
  enum class Start { works, missing, late, failed, alone, not_tried };
  std::string library;  ///< "Open MPI v4.1.4"
  Start start = Start::not_tried;
  std::chrono::milliseconds took{0};
  std::string words;         ///< what mpirun said
  bool root = false;         ///< we are
  bool inside_rank = false;  ///< the environment is that of a rank
};
[[nodiscard]] Finding judge(const MpiFacts& mpi);

struct CpuFacts {
  std::string device_class;
  int usable = 1;               ///< cores in our cpuset
  int present = 1;              ///< in the machine
  std::optional<double> quota;  ///< cores' worth of time that the cgroup gives
};
[[nodiscard]] Finding judge(const CpuFacts& cpu);

struct MemoryFacts {
  std::uint64_t limit = 0;
  std::string source;           ///< of the limit: "MemTotal"
  std::uint64_t available = 0;  ///< free now, or given back when asked for
};
[[nodiscard]] Finding judge(const MemoryFacts& memory);

/// The cap of a job on this machine.
struct CapFacts {
  std::string written;  ///< "devices.memory.cap 80%, leave 0B"
  std::uint64_t budget = 0;
  std::uint64_t available = 0;
};
[[nodiscard]] Finding judge(const CapFacts& cap);

struct LimitFacts {
  std::optional<std::uint64_t> open_files;  ///< nothing: no limit
  std::optional<std::uint64_t> address_space;
};
[[nodiscard]] std::vector<Finding> judge(const LimitFacts& limits);

struct SharedMemoryFacts {
  bool there = false;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};
[[nodiscard]] Finding judge(const SharedMemoryFacts& shared);

/// Why executors cannot be confined here; empty: they can.
struct ConfinementFacts {
  std::string why_not;
};
[[nodiscard]] Finding judge(const ConfinementFacts& confinement);

struct DiskFacts {
  std::string path;   ///< as a person knows it
  std::string tried;  ///< the folder that was tried: the path, or what exists of it
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::optional<std::uint64_t> free_files;  ///< inodes; nothing: the file system does not count them
  std::string kind;                         ///< "ext4", "nfs", "overlay"
  std::string failed;                       ///< which step of writing a file failed, and why; empty: none
  bool locks = true;
  double bytes_per_s = 0;
  double clock_ahead_s = 0;  ///< of the file server, before ours
};
[[nodiscard]] Finding judge(const DiskFacts& disk);

struct GpuFacts {
  struct Gpu {
    std::string name;
    std::uint64_t total = 0;
    std::uint64_t free = 0;
  };
  std::string driver;        ///< "/dev/nvidia0"; empty: none
  std::vector<Gpu> devices;  ///< that the driver's library tells of
};
[[nodiscard]] Finding judge(const GpuFacts& gpu);

struct SlurmFacts {
  bool commands = false;  ///< srun is there
  std::string job;        ///< "123", or "123_4" in an array
  std::string tasks;      ///< SLURM_NTASKS
  std::string fence;      ///< SLURM_PMIX_FENCE
};
[[nodiscard]] Finding judge(const SlurmFacts& slurm);

struct PlaceFacts {
  std::string locale;     ///< LC_ALL, else LC_CTYPE, else LANG
  int year = 2026;        ///< of the clock
  std::string temporary;  ///< TMPDIR or /tmp
  bool temporary_works = true;
};
[[nodiscard]] std::vector<Finding> judge(const PlaceFacts& place);

struct InputFacts {
  std::string path;
  std::string error;  ///< empty: it is there, and of a kind that is read
  bool readable = false;
};
[[nodiscard]] Finding judge(const InputFacts& input);

struct ModelTrial {
  std::string path;
  std::string says;   ///< "reads 3 channels, scale 2, halo 5 px"
  std::string error;  ///< of whatever step; empty: it runs
};
[[nodiscard]] Finding judge(const ModelTrial& model);

}  // namespace pantile::app
