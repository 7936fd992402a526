#pragma once
// What the commands that take a job file have in common.

#include <filesystem>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace pantile::app {

/// Reads a job with what the command line says of it: `output` in place of output.dir, unless it is empty. Throws
/// ConfigError.
[[nodiscard]] LoadedConfig load_job(const std::filesystem::path& job, const std::string& output,
                                    std::vector<std::string> sets);

/// A path as a person would type it: relative where that is shorter.
[[nodiscard]] std::string shown(const std::filesystem::path& path);

}  // namespace pantile::app
