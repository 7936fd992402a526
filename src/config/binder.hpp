#pragma once
// From the tree of a text to the struct: every key is known, every value is in its range.

#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"

namespace pantile {

/// A value that was given, and the variables of the environment in it.
struct Given {
  Place place;
  std::vector<std::string> variables;
};
/// By dotted key: "pipeline.upscale.image.scale".
using GivenValues = std::map<std::string, Given>;

/// Fills `config` along the table of keys; mistakes are added to `diagnostics`. `config.folder` is set before.
/// Precondition: `root` is a map.
GivenValues bind_config(RunConfig& config, const ConfigNode& root, std::vector<Diagnostic>& diagnostics);

/// How a message names the value: "'rgb'", "a list", "empty".
[[nodiscard]] std::string said(const ConfigNode& node);

}  // namespace pantile
