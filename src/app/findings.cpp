#include "app/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile::app {
namespace {

Finding fine(const std::string& check, const std::string& found) { return {Severity::ok, check, found, "", ""}; }

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// The limits below which the first of some runs with 1 and 3 ranks failed: 24 hung mpirun, 48 was enough.
constexpr std::uint64_t fewest_files = 64;
/// mpirun and the coordinator hold some files for each rank; 1024 is what distributions give.
constexpr std::uint64_t usual_files = 1024;
/// Measured with the sample model: 0.5 GB is refused when a lane reserves its addresses, 1 GB is enough.
constexpr std::uint64_t least_addresses = std::uint64_t{1} << 30U;

}  // namespace

std::string name(Severity severity) {
  switch (severity) {
    case Severity::ok: return "ok";
    case Severity::note: return "note";
    case Severity::warning: return "warning";
    case Severity::problem: return "problem";
  }
  expect(false, "a severity is one of four");
  return "";
}

Finding judge(const EngineFacts& engine) {
  if (!engine.version.empty()) {
    return fine("engine", "ONNX Runtime " + engine.version + " (" + engine.library + ")");
  }
  return {Severity::problem, "engine", engine.error, "no model can run without ONNX Runtime",
          "tools/bootstrap.sh build, or pip install onnxruntime and name its libonnxruntime.so in PANTILE_ORT_LIB"};
}

Finding judge(const CodecFacts& codecs) {
  if (codecs.error.empty()) {
    return fine("codecs", codecs.path);
  }
  return {Severity::problem, "codecs", codecs.error, "BMP, Sun raster and JPEG 2000 cannot be read",
          "apt install libopencv-imgcodecs406; where PANTILE_IMGCODECS_LIB is set, no other place is looked at"};
}

Finding judge(const Hdf5Facts& hdf5) {
  const std::string found = fmt::format("HDF5 {}{}", hdf5.version, hdf5.parallel ? ", parallel build" : ", serial");
  if (hdf5.version != hdf5.built_against) {
    return {Severity::warning, "hdf5", found + ", but built against " + hdf5.built_against,
            "HDF5 ends the process when its versions do not fit", "build again here, or set LD_LIBRARY_PATH right"};
  }
  if (hdf5.parallel) {
    return {Severity::note, "hdf5", found, "it works, but each process loads MPI with it",
            "libhdf5-dev is the serial one"};
  }
  return fine("hdf5", found);
}

Finding judge(const MpiFacts& mpi) {
  using Start = MpiFacts::Start;
  const std::string root = mpi.root ? "; as root, your own mpirun also needs OMPI_ALLOW_RUN_AS_ROOT=1 and "
                                      "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 (--ranks sets them)"
                                    : "";
  const std::string one_rank = "meanwhile --ranks 1 (the default) needs no MPI";
  if (mpi.inside_rank) {
    return {Severity::note, "mpi", mpi.library + "; this shell's environment is that of a rank (OMPI_ or PMIX_)",
            "`pantile run` will join that world and start no ranks of its own",
            "where that is not meant, start it from a fresh shell"};
  }
  switch (mpi.start) {
    case Start::works:
      return fine("mpi", fmt::format("{}, mpirun starts 2 ranks in {:.1f} s{}", mpi.library,
                                     static_cast<double>(mpi.took.count()) / 1000, root));
    case Start::missing:
      return {Severity::warning, "mpi", mpi.library + ", but there is no mpirun on the PATH",
              "--ranks needs it to start processes", "apt install openmpi-bin; " + one_rank};
    case Start::late:
      return {Severity::warning, "mpi",
              fmt::format("{}, but mpirun had not started 2 ranks after {:.1f} s", mpi.library,
                          static_cast<double>(mpi.took.count()) / 1000),
              "the machine is very busy, or MPI waits for a network",
              "mpirun -n 2 --mca btl self,vader hostname; " + one_rank};
    case Start::alone:
      return {Severity::problem, "mpi", mpi.library + ", but two ranks started by mpirun do not find each other",
              "mpirun is of another MPI than the library of this build",
              "put Open MPI's mpirun first on the PATH; " + one_rank};
    case Start::failed:
      return {Severity::problem, "mpi", mpi.library + ", but mpirun cannot start 2 ranks: " + mpi.words,
              "--ranks would fail the same way", one_rank};
    case Start::not_tried: return fine("mpi", mpi.library);
  }
  expect(false, "a start of mpirun ends in one of six ways");
  return {};
}

Finding judge(const CpuFacts& cpu) {
  std::string found = fmt::format("{}, {} of {} cores usable", cpu.device_class, cpu.usable, cpu.present);
  if (cpu.quota) {
    found += fmt::format(", quota of {:.1f} cores", *cpu.quota);
  }
  if (cpu.quota && *cpu.quota < 0.9 * cpu.usable) {
    return {Severity::warning, "cpu", found,
            "more threads than the quota allows are stopped in the middle of their work",
            fmt::format("taskset -c 0-{} pantile run …, or a larger quota",
                        std::max(0, static_cast<int>(std::lround(*cpu.quota)) - 1))};
  }
  if (cpu.device_class == "cpu:base") {
    return {Severity::warning, "cpu", found, "without AVX2 models run several times slower, and round differently",
            "compare digests with runs on CPUs of this class only"};
  }
  if (cpu.usable < cpu.present) {
    return {Severity::note, "cpu", found, "something holds us to a part of the machine: taskset, Slurm, a container",
            "ask for more cores there"};
  }
  return fine("cpu", found);
}

Finding judge(const MemoryFacts& memory) {
  const std::string found = fmt::format("{} by {}, {} free now", format_byte_size(memory.limit), memory.source,
                                        format_byte_size(memory.available));
  if (memory.limit < 512 * MiB) {
    return {Severity::warning, "memory", found, "program and libraries take 100 to 200 MiB of it",
            "a larger limit, or small models"};
  }
  if (memory.available < memory.limit / 2) {
    return {Severity::warning, "memory", found,
            "the default cap of 80% counts from the limit: beyond what is free the system may kill processes",
            fmt::format("--set devices.memory.cap={}MiB", memory.available / MiB * 8 / 10)};
  }
  return fine("memory", found);
}

Finding judge(const CapFacts& cap) {
  const std::string found = fmt::format("{}: {} here, {} free now", cap.written, format_byte_size(cap.budget),
                                        format_byte_size(cap.available));
  if (cap.budget < 128 * MiB) {
    return {Severity::problem, "cap", found, "program, libraries and weights count too: nothing is left for tiles",
            "raise devices.memory.cap, or lower devices.memory.leave"};
  }
  if (cap.budget > cap.available) {
    return {Severity::warning, "cap", found, "others hold memory that the cap counts on: the system may kill processes",
            fmt::format("--set devices.memory.cap={}MiB", cap.available / MiB * 8 / 10)};
  }
  return fine("cap", found);
}

std::vector<Finding> judge(const LimitFacts& limits) {
  std::vector<Finding> findings;
  const std::string files =
      limits.open_files ? fmt::format("{} open files", *limits.open_files) : "any number of open files";
  if (limits.open_files.value_or(usual_files) < fewest_files) {
    findings.push_back(
        {Severity::problem, "files", files, "mpirun hangs, and shards cannot be opened", "ulimit -n 1024"});
  } else if (limits.open_files.value_or(usual_files) < usual_files) {
    findings.push_back({Severity::warning, "files", files, "each rank takes some; runs with many ranks would fail",
                        "ulimit -n 1024, or more for hundreds of ranks"});
  } else {
    findings.push_back(fine("files", files));
  }
  if (limits.address_space) {
    const bool hopeless = *limits.address_space < least_addresses;
    findings.push_back({hopeless ? Severity::problem : Severity::warning, "addresses",
                        "ulimit -v is " + format_byte_size(*limits.address_space),
                        "lanes reserve addresses, not memory, for all that their cap allows",
                        "ulimit -v unlimited; devices.memory.cap limits memory"});
  }
  return findings;
}

Finding judge(const ConfinementFacts& confinement) {
  if (confinement.why_not.empty()) {
    return {Severity::ok, "seccomp", "executors may read files, and change, start or send nothing", "", ""};
  }
  return {Severity::warning, "seccomp", fmt::format("executors are not confined: {}", confinement.why_not),
          "an image that takes over a decoder could do what you may do",
          "a kernel or a container that allows seccomp filters; else read only images that you trust"};
}

Finding judge(const SharedMemoryFacts& shared) {
  const std::string found =
      shared.there ? fmt::format("/dev/shm {}, {} free", format_byte_size(shared.total), format_byte_size(shared.free))
                   : "/dev/shm is not there";
  const std::string attempt = "docker run --shm-size=1g, or mount a tmpfs at /dev/shm";
  if (!shared.there) {
    return {Severity::warning, "shm", found, "the ranks of a node talk through it", attempt};
  }
  if (shared.free < 16 * MiB) {
    return {Severity::problem, "shm", found, "ranks end with SIGBUS when it is full (left over files of others?)",
            "ls -l /dev/shm and remove what nobody uses; " + attempt};
  }
  if (shared.total <= 64 * MiB) {
    return {Severity::warning, "shm", found, "a few ranks fit; with more, ranks end with SIGBUS", attempt};
  }
  return fine("shm", found);
}

namespace {

bool is_network(const std::string& kind) {
  return is_one_of(kind, {"nfs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse", "9p"});
}

/// The first thing that would fail a run.
std::optional<Finding> disk_problem(const DiskFacts& disk, const std::string& found) {
  if (!disk.failed.empty()) {
    return Finding{Severity::problem, "disk", disk.path + ": " + disk.failed, "shards and journal are written there",
                   "another output.dir (or --output DIR), or its permissions: ls -ld " + disk.tried};
  }
  if (disk.free < 64 * MiB || disk.free_files.value_or(1000) < 16) {
    return Finding{Severity::problem, "disk", found, "a run stops when the disk is full (nothing that is done is lost)",
                   "make room there, or another output.dir (or --output DIR)"};
  }
  if (!disk.locks) {
    return Finding{Severity::problem, "disk", found + ", no file locks",
                   "the run folder is locked against a second run",
                   "another disk, or mount this one with locks (Lustre: -o flock)"};
  }
  return std::nullopt;
}

}  // namespace

Finding judge(const DiskFacts& disk) {
  const std::string found =
      fmt::format("{}: {}, {} of {} free, {:.0f} MB/s{}", disk.path, disk.kind, format_byte_size(disk.free),
                  format_byte_size(disk.total), disk.bytes_per_s / 1e6,
                  disk.free_files && *disk.free_files < 10'000 ? fmt::format(", {} files more", *disk.free_files) : "");
  if (const std::optional<Finding> problem = disk_problem(disk, found)) {
    return *problem;
  }
  const auto warning = [&](const std::string& what, const std::string& why, const std::string& attempt) {
    return Finding{Severity::warning, "disk", found + what, why, attempt};
  };
  if (disk.free < GiB || disk.free_files.value_or(1000) < 1000) {
    return warning("", "results of more than a few images do not fit", "make room, or another output.dir");
  }
  if (std::abs(disk.clock_ahead_s) > 5) {
    return warning(fmt::format(", its clock differs by {:.0f} s", disk.clock_ahead_s),
                   "`status` tells by times whether a run is alive", "set the clocks: chronyc tracking, timedatectl");
  }
  if (disk.kind == "tmpfs") {
    return warning("", "results would lie in memory, count against it, and be gone at the next boot",
                   "an output.dir on a disk");
  }
  if (disk.bytes_per_s < 10e6) {
    return warning("", "results are written more slowly than most models make them", "a local or parallel file system");
  }
  if (disk.kind == "overlay") {
    return {Severity::note, "disk", found, "a container's own layer: it is gone with the container",
            "mount a folder of the host: docker run -v /data:/data"};
  }
  if (is_network(disk.kind)) {
    return {Severity::note, "disk", found, "a network file system: all nodes of a run must see it under this path", ""};
  }
  return fine("disk", found);
}

Finding judge(const GpuFacts& gpu) {
  if (gpu.driver.empty() && gpu.devices.empty()) {
    return fine("gpu", "none, and none is needed");
  }
  std::string found = gpu.devices.empty() ? gpu.driver : "";
  for (const GpuFacts::Gpu& one : gpu.devices) {
    found += fmt::format("{}{}, {} of {} free", found.empty() ? "" : "; ", one.name, format_byte_size(one.free),
                         format_byte_size(one.total));
  }
  return {Severity::note, "gpu", found + ", but models run on CPUs only", "the GPU stays idle", ""};
}

Finding judge(const SlurmFacts& slurm) {
  if (slurm.job.empty()) {
    return fine("slurm", slurm.commands ? "there, not in a job" : "not there");
  }
  const std::string found = fmt::format("job {}, {} tasks", slurm.job, slurm.tasks.empty() ? "1" : slurm.tasks);
  if (slurm.fence != "ring") {
    return {Severity::note, "slurm", found,
            "with srun --mpi=pmix about 4 % of the starts crash in MPI_Init with its defaults",
            "export SLURM_PMIX_FENCE=ring, or let pantile run --ranks start mpirun"};
  }
  return fine("slurm", found);
}

std::vector<Finding> judge(const PlaceFacts& place) {
  std::vector<Finding> findings;
  std::string locale = place.locale;
  std::transform(locale.begin(), locale.end(), locale.begin(), [](unsigned char c) { return std::toupper(c); });
  const bool utf8 = locale.find("UTF-8") != std::string::npos || locale.find("UTF8") != std::string::npos;
  findings.push_back(utf8 ? fine("locale", place.locale)
                          : Finding{Severity::note, "locale", place.locale.empty() ? "none is set" : place.locale,
                                    "names outside ASCII may look odd in the terminal; results are the same",
                                    "export LC_ALL=C.UTF-8"});
  if (place.year < 2024) {
    findings.push_back({Severity::warning, "clock", fmt::format("the year is {}", place.year),
                        "`status` and logs tell by times what is alive", "timedatectl set-ntp true"});
  }
  // Sockets of mpirun lie some 60 bytes deeper, and a socket's path has 107 bytes at most.
  constexpr std::size_t longest = 45;
  if (!place.temporary_works) {
    findings.push_back({Severity::problem, "tmp", place.temporary + " cannot be written",
                        "mpirun keeps its session there", "export TMPDIR=/a/folder/of/yours"});
  } else if (place.temporary.size() > longest) {
    findings.push_back({Severity::warning, "tmp", place.temporary + " is a long path",
                        "mpirun makes sockets below it, whose paths are limited to 107 bytes", "export TMPDIR=/tmp"});
  } else {
    findings.push_back(fine("tmp", place.temporary));
  }
  return findings;
}

Finding judge(const InputFacts& input) {
  if (!input.error.empty()) {
    return {Severity::problem, "input", input.error, "the job reads its images there", ""};
  }
  if (!input.readable) {
    return {Severity::problem, "input", input.path + " cannot be read", "the job reads its images there",
            "its permissions: ls -ld " + input.path};
  }
  return fine("input", input.path);
}

Finding judge(const ModelTrial& model) {
  if (!model.error.empty()) {
    return {Severity::problem, "model", model.error, "`pantile run` would stop at it", ""};
  }
  return fine("model", model.path + ": " + model.says);
}

}  // namespace pantile::app
