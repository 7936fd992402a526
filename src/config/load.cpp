#include "config/load.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "config/binder.hpp"
#include "config/include.hpp"
#include "config/overrides.hpp"

namespace pantile {
namespace {

/// What a value came from, with the variables in it.
std::string origin_text(const Given& given) {
  std::string text = origin_of(given.place);
  for (const std::string& variable : given.variables) {
    text += fmt::format(", ${{{}}}", variable);
  }
  return text;
}

LoadedConfig load(const JobText& job, const Overrides& overrides) {
  std::vector<Diagnostic> diagnostics;
  std::set<std::string> used;
  ConfigNode root = read_tree(job, overrides, used, diagnostics);
  LoadedConfig loaded;
  loaded.config.folder = job.folder;
  if (root.kind == ConfigNode::Kind::map) {
    apply_variables(root, overrides.environment, used, diagnostics);
    for (std::size_t i = 0; i < overrides.sets.size(); ++i) {
      apply_set(root, overrides.sets[i], i + 1, diagnostics);
    }
    for (const auto& [key, given] : bind_config(loaded.config, root, diagnostics)) {
      loaded.origins.emplace(key, origin_text(given));
    }
  } else if (diagnostics.empty()) {
    const bool empty = root.kind == ConfigNode::Kind::null;
    diagnostics.push_back(
        {empty ? job.display + " is empty" : fmt::format("a job is a map of keys, not {}", said(root)),
         empty ? Place{} : root.place, "the least there is: configs/upscale.yaml"});
  }
  if (!diagnostics.empty()) {
    throw ConfigError{std::move(diagnostics)};
  }
  loaded.variables.assign(used.begin(), used.end());
  return loaded;
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const auto equals = std::min(text.find('='), text.size());
    environment.emplace(text.substr(0, equals), text.substr(std::min(equals + 1, text.size())));
  }
  return environment;
}

LoadedConfig parse_job(const std::string& text, const std::string& display, const std::filesystem::path& folder,
                       const Overrides& overrides) {
  return load(
      {.text = text, .display = display, .folder = std::filesystem::absolute(folder).lexically_normal(), .file = {}},
      overrides);
}

LoadedConfig load_job(const std::filesystem::path& path, const Overrides& overrides) {
  const std::filesystem::path file = std::filesystem::absolute(path).lexically_normal();
  JobText job{.text = {}, .display = path.string(), .folder = file.parent_path(), .file = file};
  try {
    job.text = read_config_file(path);
  } catch (const Error& error) {
    throw ConfigError{{{error.what(), {}, "a job file is YAML; a sample: configs/upscale.yaml"}}};
  }
  return load(job, overrides);
}

}  // namespace pantile
