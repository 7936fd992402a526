#pragma once
// From the tree of a text to the struct: every key is known, every value is in its range.

#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"

namespace pantile {

/// Where each value that was given stands, by dotted key: "pipeline.upscale.image.scale".
using Places = std::map<std::string, Place>;

/// Fills `config` along the table of keys; mistakes are added to `diagnostics`. `config.folder` is set before.
/// Precondition: `root` is a map.
Places bind_config(RunConfig& config, const ConfigNode& root, std::vector<Diagnostic>& diagnostics);

/// How a message names the value: "'rgb'", "a list", "empty".
[[nodiscard]] std::string said(const ConfigNode& node);

}  // namespace pantile
