#pragma once
// What this machine is like, asked of the machine itself. Nothing here judges.

#include <chrono>
#include <filesystem>

#include "app/findings.hpp"

namespace pantile::app {

[[nodiscard]] CodecFacts codec_facts();
[[nodiscard]] Hdf5Facts hdf5_facts();
[[nodiscard]] CpuFacts cpu_facts();
[[nodiscard]] MemoryFacts memory_facts();
[[nodiscard]] LimitFacts limit_facts();
[[nodiscard]] SharedMemoryFacts shared_memory_facts();
[[nodiscard]] GpuFacts gpu_facts();
[[nodiscard]] SlurmFacts slurm_facts();
[[nodiscard]] PlaceFacts place_facts();

/// Writes a few MiB into the folder, or into what exists of its path, and removes them again: create, write, fsync,
/// rename, lock. `shown` is what a person calls the folder.
[[nodiscard]] DiskFacts disk_facts(const std::filesystem::path& folder, const std::string& shown);

/// True if a program of that name is on the PATH.
[[nodiscard]] bool is_on_path(const std::string& program);

}  // namespace pantile::app
