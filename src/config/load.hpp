#pragma once
// A job with all that is known of where its values came from. Most callers need load_config of config.hpp only.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace pantile {

using Environment = std::map<std::string, std::string>;
/// That of this process.
[[nodiscard]] Environment process_environment();

/// A variable of this prefix overrides a key, as Airflow's do: PANTILE__DEVICES__MEMORY__CAP=4GiB.
inline constexpr const char* override_prefix = "PANTILE__";

struct LoadedConfig {
  RunConfig config;
  /// Dotted key → "job.yaml:6:3", "base.yaml:2:1, ${SCRATCH}", "PANTILE__TILES__SIZE", "--set". Keys that are not here
  /// have their built-in default.
  std::map<std::string, std::string> origins;
  /// The variables of the environment that the job depends on: another process that reads it needs them. Sorted.
  std::vector<std::string> variables;
};

/// Reads a job file or an included one. Throws Error.
[[nodiscard]] std::string read_config_file(const std::filesystem::path& path);

/// What a job is read with besides its text.
struct Overrides {
  std::vector<std::string> sets;  ///< see load_config
  Environment environment;        ///< for `${NAME}`, and its variables of the prefix
  /// Where included files come from; throws Error. Fuzzing puts in one that knows no file of the machine.
  std::function<std::string(const std::filesystem::path&)> read_file = read_config_file;
};

/// As load_config and parse_config do, which is where they are described.
[[nodiscard]] LoadedConfig load_job(const std::filesystem::path& path, const Overrides& overrides);
[[nodiscard]] LoadedConfig parse_job(const std::string& text, const std::string& display,
                                     const std::filesystem::path& folder, const Overrides& overrides);

enum class Origins { hidden, shown };
/// The whole config as effective_text has it; with origins each value says in a comment where it came from.
[[nodiscard]] std::string show_config(const LoadedConfig& loaded, Origins origins);

}  // namespace pantile
