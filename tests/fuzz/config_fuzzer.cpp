// A job file, the files that it includes, the environment and --set, all in one text:
//
//     name: a            the job
//     include: b.yaml
//     %% b.yaml          a file that may be included
//     tiles: {size: 96}
//     %% $               variables of the environment, NAME=VALUE
//     %% --set           values of --set
//
// No file of this machine is read, whatever a job includes.

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "config/diagnostics.hpp"
#include "config/identity.hpp"
#include "config/load.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace pantile;

const std::filesystem::path folder = "/nowhere/jobs";

struct Parts {
  std::string job;
  std::map<std::string, std::string> files;  ///< by path
  Overrides overrides;
};

void add_variable(Environment& environment, const std::string& line) {
  const auto equals = line.find('=');
  if (equals != std::string::npos) {
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
}

Parts parts_of(std::string text) {
  Parts parts;
  std::string name;
  std::istringstream lines{std::move(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("%% ")) {
      name = line.substr(3);
    } else if (name == "$") {
      add_variable(parts.overrides.environment, line);
    } else if (name == "--set") {
      parts.overrides.sets.push_back(line);
    } else {
      (name.empty() ? parts.job : parts.files[(folder / name).lexically_normal().string()]) += line + '\n';
    }
  }
  return parts;
}

/// Of a job that was read: what it is written down as says the same.
void expect_written_alike(const LoadedConfig& loaded) {
  const RunConfig& config = loaded.config;
  const std::string text = effective_text(config);
  expect(parse_config(text, "effective", config.folder) == config, "the effective text reads back as the same config");
  expect(folder_of_effective_text(text) == config.folder, "the effective text names the folder");
  for (const Origins origins : {Origins::hidden, Origins::shown}) {
    expect(parse_config(show_config(loaded, origins), "shown", config.folder) == config,
           "what is shown reads back as the same config");
  }
  const IdentityFacts facts{.model_digests = std::vector<std::string>(config.pipeline.size(), "00ff"),
                            .catalog_digest = "11ee",
                            .further = {{"items", "38"}}};
  const std::string identity = identity_text(config, facts);
  expect(diff_identity(identity, identity).empty(), "an identity does not differ from itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Parts parts = parts_of({reinterpret_cast<const char*>(data), size});
  parts.overrides.read_file = [&parts](const std::filesystem::path& path) {
    const auto found = parts.files.find(path.string());
    if (found == parts.files.end()) {
      throw Error{"cannot open " + path.string()};
    }
    return found->second;
  };
  std::optional<LoadedConfig> loaded;
  try {
    loaded = parse_job(parts.job, "job.yaml", folder, parts.overrides);
  } catch (const ConfigError& error) {
    expect(!std::string{error.what()}.empty(), "a mistake is told");
    return 0;
  }
  for (const std::string& name : loaded->variables) {
    expect(name.find('=') == std::string::npos, "a variable has a name");
  }
  expect_written_alike(*loaded);
  return 0;
}
